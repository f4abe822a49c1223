import type { ToolDefinition } from '@bridgekeeper/protocol'
import type { Scopes } from '../gates/call-authority.ts'

/** Views of one catalog that are kept; the oldest goes first. */
export const MAX_VIEWS = 4
/** No scope of ours. */
const NO_LIMITS = '*'

const byCatalog = new WeakMap<object, Map<string, Buffer>>()

/**
 * The JSON text of a list of tools, kept as long as its catalog is: serialising a thousand tools for each request
 * costs a hundred times what sending them does.
 * @param catalog what the list was made of, and for nothing else @param scopes what of it the caller sees
 */
export function listJson(catalog: object, scopes: Scopes, list: () => readonly ToolDefinition[]): Buffer {
  const key = scopes === undefined ? NO_LIMITS : scopes.join(' ')
  const views = byCatalog.get(catalog) ?? new Map<string, Buffer>()
  const known = views.get(key)
  if (known !== undefined) return known
  const json = Buffer.from(JSON.stringify(list()))
  const [oldest] = views.keys()
  if (views.size >= MAX_VIEWS && oldest !== undefined) views.delete(oldest)
  byCatalog.set(catalog, views.set(key, json))
  return json
}
