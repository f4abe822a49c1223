import type { RawJson } from '@bridgekeeper/protocol'
import type { Scopes } from '../gates/call-authority.ts'
import { arrayOf } from './json-edits.ts'

/** Limit of cached views per catalog; the oldest is evicted. */
export const MAX_VIEWS = 4
/** Key of an unlimited token: not a valid scope. */
const NO_LIMITS = '*'

const byCatalog = new WeakMap<object, Map<string, RawJson>>()

/**
 * Returns the JSON text of a list of tools, cached as long as its catalog. Writing a thousand tools for
 * each request costs a hundred times as much as sending them.
 * @param catalog source of the list, used only as the key @param scopes limits of the caller's token
 * @param variant names the list among those of the same catalog and scopes
 */
export function listJson(
  catalog: object,
  scopes: Scopes,
  list: () => readonly RawJson[],
  variant = '',
): RawJson {
  const key = `${scopes === undefined ? NO_LIMITS : scopes.join(' ')} ${variant}`
  const views = byCatalog.get(catalog) ?? new Map<string, RawJson>()
  const known = views.get(key)
  if (known !== undefined) return known
  const json = arrayOf(list())
  const [oldest] = views.keys()
  if (views.size >= MAX_VIEWS && oldest !== undefined) views.delete(oldest)
  byCatalog.set(catalog, views.set(key, json))
  return json
}
