import {
  arrayItems,
  bytesAt,
  type CatalogTool,
  cleanText,
  decodeUp,
  encodeCatalog,
  isEmptyAt,
  isJson,
  isObject,
  limits,
  nameSchema,
  OPEN_BRACE,
  parseJson,
  pickMembers,
  type RawJson,
  strictDefinition,
  type ToolDefinition,
  textAt,
  toolDefinitionSchema,
  valueAt,
} from '@bridgekeeper/protocol'
import { definitionHash } from './definition-hash.ts'
import type { RawOutcome } from './raw-calls.ts'

export type ToolList =
  | { readonly ok: true; readonly tools: readonly CatalogTool[]; readonly leftOut: readonly OddTool[] }
  | {
      readonly ok: false
      readonly reason: string
      /** The server refused the request, which it may accept later. */
      readonly isRefused?: boolean
    }

/** A tool that callers do not see, or not everywhere as the server defined it. */
export interface OddTool {
  /** Missing if the tool has none. */
  readonly name: string
  readonly reason: string
}

export const NO_TOOLS: Extract<ToolList, { ok: true }> = { ok: true, tools: [], leftOut: [] }

/** Some servers put one tool on each page. */
export const MAX_PAGES = 1_024
/** A definition travels in one message, with the name of its server. */
const MAX_DEFINITION_BYTES = limits.messageBytes - 4_096
/** Sum over all pages. */
export const MAX_LIST_BYTES = 8 * 1_048_576
/** Strings, and the numbers that JSON does not have. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g

/**
 * Lists a server's tools, each definition as the server wrote it. Leaves out tools that cannot be called,
 * each with a reason. A cursor that is empty, not a string, repeated or refused ends the list. Never rejects.
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
    if (page > 0 && outcome.kind === 'rpc-error') {
      leftOut.push({ name: '', reason: `left out, because the server refused its own cursor${why(outcome)}` })
      return { ok: true, tools: [...tools.values()], leftOut }
    }
    if (result === undefined) {
      const reason = `it did not list its tools${why(outcome)}`
      return { ok: false, reason, ...(outcome.kind === 'rpc-error' && { isRefused: true }) }
    }
    const items = toolsIn(result)
    if (items === undefined) return { ok: false, reason: 'its list of tools cannot be read' }
    for (const item of items) {
      const tool = catalogTool(item)
      // A server that repeats a page repeats its tools.
      if ('hash' in tool) tools.set(tool.hash, tool)
      else leftOut.push(tool)
    }
    if (tools.size > limits.toolsPerServer) {
      return { ok: false, reason: `it lists more than ${limits.toolsPerServer} tools` }
    }
    const cursor = textAt(result, ['nextCursor'])
    if (cursor === undefined || cursor === '' || cursors.has(cursor))
      return { ok: true, tools: [...tools.values()], leftOut }
    cursors.add(cursor)
    params = { cursor }
  }
  return { ok: false, reason: `its list of tools has more than ${MAX_PAGES} pages` }
}

/** Reads a list of tools. An invalid definition does not invalidate the others. */
function listResult(outcome: RawOutcome): RawJson | undefined {
  if (outcome.kind === 'result') return outcome.result
  if (outcome.kind !== 'invalid') return undefined
  const text = outcome.text.toString('utf8').replace(TOKENS, (token) => (token[0] === '"' ? token : 'null'))
  const result = valueAt(Buffer.from(text), ['result'])
  return result?.[0] === OPEN_BRACE ? result : undefined
}

/** Each tool as it was written. A server without tools may write null, or nothing. */
function toolsIn(result: RawJson): readonly RawJson[] | undefined {
  const [tools] = pickMembers(result, ['tools']) ?? []
  if (isEmptyAt(result, tools)) return []
  const list = bytesAt(result, tools) ?? result
  return arrayItems(list, Number.POSITIVE_INFINITY)?.map(([start, end]) => list.subarray(start, end))
}

function resultBytes(outcome: RawOutcome): number {
  if (outcome.kind === 'invalid') return outcome.text.length
  return outcome.kind === 'result' ? outcome.result.length : 0
}

function catalogTool(raw: RawJson): CatalogTool | OddTool {
  const name = textAt(raw, ['name'])
  const shownName = cleanText(name ?? '')
  const definition = raw.toString('utf8')
  const value = parseJson(definition)?.value
  if (name === undefined || !isToolDefinition(value))
    return { name: shownName, reason: 'left out, because its name or its schema is missing or invalid' }
  if (needsTask(value)) {
    const reason = 'left out, because it runs only as a task, which the bridge does not support yet'
    return { name: shownName, reason }
  }
  if (isJson(raw, limits.jsonDepth)) {
    const tool = { hash: definitionHash(raw), name, definition }
    if (fitsCatalog(tool)) return tool
  }
  return { name: shownName, reason: 'left out, because its definition is too large or nested too deep' }
}

/** Tools that `/mcp`, the list of all servers, shows with changes or not at all. */
export function repairedTools(tools: readonly CatalogTool[]): readonly OddTool[] {
  return tools.flatMap((tool) => {
    const name = cleanText(tool.name)
    const definition: unknown = parseJson(tool.definition)?.value
    const strict = isToolDefinition(definition) ? strictDefinition(definition) : undefined
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
 * whole catalog would be lost.
 */
function fitsCatalog(tool: CatalogTool): boolean {
  const server = {
    state: 'ready' as const,
    name: 'any',
    serverInfo: '{"name":"","version":""}',
    tools: [tool],
  }
  const frame = encodeCatalog({ type: 'catalog', servers: [server] })
  return frame.length <= MAX_DEFINITION_BYTES && decodeUp(frame, 'v2').ok
}

function why(outcome: RawOutcome): string {
  if (outcome.kind === 'rpc-error') return `: ${outcome.message}`
  return outcome.kind === 'invalid' ? `: ${outcome.detail}` : ''
}
