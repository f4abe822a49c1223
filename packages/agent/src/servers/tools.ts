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
  type RawJson,
  type ToolDefinition,
  toolDefinitionSchema,
} from '@bridgekeeper/protocol'
import { parseResult, type RawOutcome } from './raw-calls.ts'

export type ToolList =
  | { readonly ok: true; readonly tools: readonly CatalogTool[]; readonly skipped: number }
  | { readonly ok: false; readonly reason: string }

export const MAX_PAGES = 64
/** Of all pages. A catalog holds 1 MiB at most, so that no server needs more than a few of them. */
export const MAX_LIST_BYTES = 8 * 1_048_576

/**
 * Lists a server's tools, each definition as the server wrote it. Definitions without a name or a
 * schema, and those that the bridge would refuse, are left out and counted. Never rejects.
 */
export async function listTools(call: (params: RawJson) => Promise<RawOutcome>): Promise<ToolList> {
  const tools: CatalogTool[] = []
  let skipped = 0
  let listBytes = 0
  let cursor: string | undefined
  for (let page = 0; page < MAX_PAGES; page++) {
    const outcome = await call(Buffer.from(JSON.stringify(cursor === undefined ? {} : { cursor })))
    listBytes += resultBytes(outcome)
    if (listBytes > MAX_LIST_BYTES) {
      return { ok: false, reason: `its list of tools has more than ${MAX_LIST_BYTES} bytes` }
    }
    const result = listResult(outcome)
    if (result === undefined) return { ok: false, reason: `it did not list its tools${why(outcome)}` }
    const listed = result.tools
    if (!Array.isArray(listed)) return { ok: false, reason: 'its list of tools cannot be read' }

    const usable = listed.flatMap((value) => catalogTool(value) ?? [])
    skipped += listed.length - usable.length
    tools.push(...usable)
    if (tools.length > limits.toolsPerServer) {
      return { ok: false, reason: `it lists more than ${limits.toolsPerServer} tools` }
    }
    const next = result.nextCursor
    if (typeof next !== 'string') return { ok: true, tools, skipped }
    cursor = next
  }
  return { ok: false, reason: `its list of tools has more than ${MAX_PAGES} pages` }
}

/** One bad definition breaks the bounds of the whole list; the others are still usable. */
function listResult(outcome: RawOutcome): Record<string, unknown> | undefined {
  if (outcome.kind === 'invalid') return isObject(outcome.parsed?.value) ? outcome.parsed.value : undefined
  if (outcome.kind !== 'result') return undefined
  return parseResult(outcome.result) ?? {}
}

function resultBytes(outcome: RawOutcome): number {
  if (outcome.kind === 'invalid') return outcome.parsed?.bytes ?? 0
  return outcome.kind === 'result' ? outcome.result.length : 0
}

/** The name of exactly this definition: SHA-256, hex, of its canonical JSON. */
export function definitionHash(definition: ToolDefinition): string {
  return hash('sha256', canonicalJson(definition))
}

function catalogTool(value: unknown): CatalogTool | undefined {
  if (!isToolDefinition(value)) return undefined
  const tool = { hash: definitionHash(value), definition: value }
  return fitsCatalog(tool) ? tool : undefined
}

function isToolDefinition(value: unknown): value is ToolDefinition {
  const parsed = toolDefinitionSchema.safeParse(value)
  // A call could not bear a name that the wire refuses.
  return parsed.success && nameSchema.safeParse(parsed.data.name).success
}

/**
 * Asks the bridge's own reader: one definition that it refuses, such as a deeply nested one, would take
 * the whole catalog with it, and so hide every server.
 */
function fitsCatalog(tool: CatalogTool): boolean {
  const server = {
    state: 'ready' as const,
    name: 'any',
    serverInfo: { name: '', version: '' },
    tools: [tool],
  }
  return decodeUp(encode({ type: 'catalog', servers: [server] }), 'v2').ok
}

function why(outcome: RawOutcome): string {
  if (outcome.kind === 'rpc-error') return `: ${cleanText(outcome.message)}`
  return outcome.kind === 'invalid' ? `: ${outcome.detail}` : ''
}
