import { hash } from 'node:crypto'
import {
  type CatalogTool,
  canonicalJson,
  cleanText,
  decodeUp,
  encode,
  isObject,
  limits,
  nameSchema,
  parseJson,
  strictDefinition,
  type ToolDefinition,
  toolDefinitionSchema,
} from '@bridgekeeper/protocol'
import { parseResult, type RawOutcome } from './raw-calls.ts'

export type ToolList =
  | { readonly ok: true; readonly tools: readonly CatalogTool[]; readonly leftOut: readonly OddTool[] }
  | { readonly ok: false; readonly reason: string }

/** A tool that callers do not see, or not everywhere as the server defined it. */
export interface OddTool {
  /** Missing if the tool has none. */
  readonly name: string
  readonly reason: string
}

export const NO_TOOLS: Extract<ToolList, { ok: true }> = { ok: true, tools: [], leftOut: [] }

export const MAX_PAGES = 64
/** A definition travels in one message, with the name of its server. */
const MAX_DEFINITION_BYTES = limits.messageBytes - 4_096
/** Sum over all pages. */
export const MAX_LIST_BYTES = 8 * 1_048_576
/** Strings, and the numbers that JSON does not have. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g

/**
 * Lists a server's tools, each definition as the server wrote it. Leaves out tools that cannot be called,
 * each with a reason. A cursor that is empty, not a string or repeated ends the list. Never rejects.
 */
export async function listTools(
  call: (params: { readonly cursor?: string }) => Promise<RawOutcome>,
): Promise<ToolList> {
  const tools = new Map<string, CatalogTool>()
  const leftOut: OddTool[] = []
  const cursors = new Set<string>()
  let listBytes = 0
  let params: { readonly cursor?: string } = {}
  for (let page = 0; page < MAX_PAGES; page++) {
    const outcome = await call(params)
    listBytes += resultBytes(outcome)
    if (listBytes > MAX_LIST_BYTES) {
      return { ok: false, reason: `its list of tools has more than ${MAX_LIST_BYTES} bytes` }
    }
    const result = listResult(outcome)
    if (result === undefined) return { ok: false, reason: `it did not list its tools${why(outcome)}` }
    const values = listOf(result.tools)
    if (values === undefined) return { ok: false, reason: 'its list of tools cannot be read' }
    for (const value of values) {
      const tool = catalogTool(value)
      // A server that repeats a page repeats its tools.
      if ('hash' in tool) tools.set(tool.hash, tool)
      else leftOut.push(tool)
    }
    if (tools.size > limits.toolsPerServer) {
      return { ok: false, reason: `it lists more than ${limits.toolsPerServer} tools` }
    }
    const cursor = result.nextCursor
    if (typeof cursor !== 'string' || cursor === '' || cursors.has(cursor))
      return { ok: true, tools: [...tools.values()], leftOut }
    cursors.add(cursor)
    params = { cursor }
  }
  return { ok: false, reason: `its list of tools has more than ${MAX_PAGES} pages` }
}

/** Reads a list of tools. An invalid definition does not invalidate the others. */
function listResult(outcome: RawOutcome): Record<string, unknown> | undefined {
  if (outcome.kind === 'result') return parseResult(outcome.result)
  if (outcome.kind !== 'invalid') return undefined
  const text = outcome.text.toString('utf8').replace(TOKENS, (token) => (token[0] === '"' ? token : 'null'))
  const answer = parseJson(text)?.value
  return isObject(answer) && isObject(answer.result) ? answer.result : undefined
}

/** A server without tools may write null, or nothing. */
function listOf(tools: unknown): readonly unknown[] | undefined {
  if (tools === undefined || tools === null) return []
  return Array.isArray(tools) ? tools : undefined
}

function resultBytes(outcome: RawOutcome): number {
  if (outcome.kind === 'invalid') return outcome.text.length
  return outcome.kind === 'result' ? outcome.result.length : 0
}

/** The name of exactly this definition: SHA-256, hex, of its canonical JSON. */
export function definitionHash(definition: ToolDefinition): string {
  return hash('sha256', canonicalJson(definition))
}

function catalogTool(value: unknown): CatalogTool | OddTool {
  const name = isObject(value) && typeof value.name === 'string' ? cleanText(value.name) : ''
  if (!isToolDefinition(value))
    return { name, reason: 'left out, because its name or its schema is missing or invalid' }
  if (needsTask(value))
    return { name, reason: 'left out, because it runs only as a task, which the bridge does not support yet' }
  try {
    const tool = { hash: definitionHash(value), definition: value }
    if (fitsCatalog(tool)) return tool
  } catch (error) {
    // A definition that is nested deeper than the stack.
    if (!(error instanceof RangeError)) throw error
  }
  return { name, reason: 'left out, because its definition is nested too deep or has a forbidden key' }
}

/** Tools that `/mcp`, the list of all servers, shows with changes or not at all. */
export function repairedTools(tools: readonly CatalogTool[]): readonly OddTool[] {
  return tools.flatMap(({ definition }) => {
    const name = cleanText(definition.name)
    const strict = strictDefinition(definition)
    if (strict === undefined)
      return { name, reason: 'left out of /mcp, because its input schema is not that of an object' }
    if (strict.changed.length === 0) return []
    return {
      name,
      reason: `repaired on /mcp, because strict clients refuse its ${strict.changed.join(', ')}`,
    }
  })
}

function isToolDefinition(value: unknown): value is ToolDefinition {
  const parsed = toolDefinitionSchema.safeParse(value)
  // A call could not bear a name that the wire refuses.
  return parsed.success && nameSchema.safeParse(parsed.data.name).success
}

/** MCP 2025-11-25, tasks: a plain call of such a tool is an error. */
function needsTask({ execution }: ToolDefinition): boolean {
  return isObject(execution) && execution.taskSupport === 'required'
}

/**
 * Checks a tool with the bridge's reader: if it refused one definition, such as a deeply nested one, the
 * whole catalog would be lost. The reader also drops keys `__proto__`.
 */
function fitsCatalog(tool: CatalogTool): boolean {
  const server = {
    state: 'ready' as const,
    name: 'any',
    serverInfo: { name: '', version: '' },
    tools: [tool],
  }
  const frame = encode({ type: 'catalog', servers: [server] })
  if (frame.length > MAX_DEFINITION_BYTES) return false
  const read = decodeUp(frame, 'v2')
  if (!read.ok || read.message.type !== 'catalog') return false
  const [readServer] = read.message.servers
  return (
    readServer?.state === 'ready' &&
    readServer.tools.every(({ definition }) => definitionHash(definition) === tool.hash)
  )
}

function why(outcome: RawOutcome): string {
  if (outcome.kind === 'rpc-error') return `: ${outcome.message}`
  return outcome.kind === 'invalid' ? `: ${outcome.detail}` : ''
}
