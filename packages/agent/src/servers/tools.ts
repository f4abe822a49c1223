import { hash } from 'node:crypto'
import {
  type CatalogTool,
  canonicalJson,
  cleanText,
  limits,
  type RawJson,
  type ToolDefinition,
  toolDefinitionSchema,
} from '@bridgekeeper/protocol'
import { parseResult, type RawOutcome } from './raw-calls.ts'

export type ToolList =
  | { readonly ok: true; readonly tools: readonly CatalogTool[]; readonly skipped: number }
  | { readonly ok: false; readonly reason: string }

const MAX_PAGES = 64

/**
 * Lists a server's tools, each definition as the server wrote it. Definitions without a name or a
 * schema are left out and counted. Never rejects.
 */
export async function listTools(call: (params: RawJson) => Promise<RawOutcome>): Promise<ToolList> {
  const tools: CatalogTool[] = []
  let skipped = 0
  let cursor: string | undefined
  for (let page = 0; page < MAX_PAGES; page++) {
    const outcome = await call(Buffer.from(JSON.stringify(cursor === undefined ? {} : { cursor })))
    if (outcome.kind !== 'result') return { ok: false, reason: `it did not list its tools${why(outcome)}` }
    const result = parseResult(outcome.result)
    const listed = result?.tools
    if (!Array.isArray(listed)) return { ok: false, reason: 'its list of tools cannot be read' }

    const definitions = listed.filter(isToolDefinition)
    skipped += listed.length - definitions.length
    tools.push(...definitions.map((definition) => ({ hash: definitionHash(definition), definition })))
    if (tools.length > limits.toolsPerServer) {
      return { ok: false, reason: `it lists more than ${limits.toolsPerServer} tools` }
    }
    const next = result?.nextCursor
    if (typeof next !== 'string') return { ok: true, tools, skipped }
    cursor = next
  }
  return { ok: false, reason: `its list of tools has more than ${MAX_PAGES} pages` }
}

/** The name of exactly this definition: SHA-256, hex, of its canonical JSON. */
export function definitionHash(definition: ToolDefinition): string {
  return hash('sha256', canonicalJson(definition))
}

function isToolDefinition(value: unknown): value is ToolDefinition {
  return toolDefinitionSchema.safeParse(value).success
}

function why(outcome: RawOutcome): string {
  return outcome.kind === 'rpc-error' ? `: ${cleanText(outcome.message)}` : ''
}
