import {
  firstItems,
  isName,
  isObject,
  OPEN_BRACE,
  parseJson,
  type RawJson,
  repairedJson,
  strictDefinition,
  type ToolDefinition,
  textAt,
  toJson,
  toolDefinitionSchema,
  valueAt,
} from '@bridgekeeper/protocol'
import type { Catalog } from '../../directory/directory.ts'
import { mayList, type Scopes } from '../../gates/call-authority.ts'
import { withMember } from '../json-edits.ts'
import type { ExposedNames } from '../tool-names.ts'
import type { ListKind } from './list-kinds.ts'
import { appOwnersOf, appUriOf, wrappedUri } from './resource-names.ts'
import { isStrictPrompt, isStrictResource } from './strict-items.ts'

/** Items of one server in one list. */
export const MAX_ITEMS = 1_024
const EMPTY: RawJson = Buffer.from('{}')

/** An item of a server's list. */
export interface ListedItem {
  readonly serverName: string
  /** Its name or URI, as its server knows it. */
  readonly key: string
  readonly raw: RawJson
}

/** Reads the first items of a page. Those without a key, or with two, are left out. */
export function itemsOf(result: RawJson, kind: ListKind, serverName: string): readonly ListedItem[] {
  const list = valueAt(result, [kind.member])
  const spans = (list && firstItems(list, MAX_ITEMS)) ?? []
  return spans.flatMap(([start, end]) => {
    const raw = list?.subarray(start, end) ?? result
    const key = textAt(raw, [kind.key])
    return key === undefined ? [] : [{ serverName, key, raw }]
  })
}

/** Facts that decide how tools are shown. */
export interface ItemFacts {
  readonly names: ExposedNames
  readonly catalog: Catalog
  readonly scopes: Scopes
  /** Whether the client can run tasks. */
  readonly hasTasks: boolean
}

/** [MCP.9] A tool for strict clients, under its exposed name. @returns `undefined` if it must be left out */
export function shownTool(
  item: ListedItem,
  { names, catalog, scopes, hasTasks }: ItemFacts,
): RawJson | undefined {
  const { serverName, raw } = item
  const read = toolDefinitionSchema.safeParse(parsed(raw))
  // No catalog has such a name, so that its exposed name would lead nowhere.
  if (!isName(item.key)) return undefined
  if (!read.success || read.data.name !== item.key || !mayList(scopes, serverName, item.key)) return undefined
  if (!hasTasks && needsTask(read.data)) return undefined
  const strict = strictDefinition(read.data)
  if (strict === undefined) return undefined
  const named = withName(repairedJson(raw, read.data, strict.definition), item, 'bridgekeeper/tool', names)
  const app = appUriOf(raw)
  if (named === undefined || app === undefined || appOwnersOf(catalog).get(app) === serverName) return named
  return withMember(named, ['_meta', 'ui', 'resourceUri'], toJson(wrappedUri({ serverName, uri: app })))
}

/** [TOOLS.11] Whether a tool runs as a task only. */
function needsTask({ execution }: ToolDefinition): boolean {
  return isObject(execution) && execution.taskSupport === 'required'
}

/** A prompt under its exposed name. @returns `undefined` if it must be left out */
export function shownPrompt(item: ListedItem, names: ExposedNames): RawJson | undefined {
  return isStrictPrompt(parsed(item.raw)) ? withName(item.raw, item, 'bridgekeeper/prompt', names) : undefined
}

/**
 * A resource or template under a URI that leads to its server. @param ownerName the server that keeps the URI
 * @returns `undefined` if it must be left out
 */
export function shownResource(item: ListedItem, { key }: ListKind, ownerName: string): RawJson | undefined {
  const { serverName, raw } = item
  if (!isStrictResource(parsed(raw))) return undefined
  const marked = withOrigin(raw, { 'bridgekeeper/server': serverName })
  if (marked === undefined || serverName === ownerName) return marked
  return withMember(marked, [key], toJson(wrappedUri({ serverName, uri: item.key })))
}

function withName(
  raw: RawJson,
  { serverName, key }: ListedItem,
  originKey: string,
  names: ExposedNames,
): RawJson | undefined {
  const named = withMember(raw, ['name'], toJson(names.of(serverName, key)))
  return named && withOrigin(named, { 'bridgekeeper/server': serverName, [originKey]: key })
}

/** Says in `_meta` where an item is from. */
function withOrigin(raw: RawJson, origin: Readonly<Record<string, string>>): RawJson | undefined {
  const meta = valueAt(raw, ['_meta'])
  let marked: RawJson | undefined = meta?.[0] === OPEN_BRACE ? meta : EMPTY
  for (const [key, value] of Object.entries(origin))
    marked = marked && withMember(marked, [key], toJson(value))
  return marked && withMember(raw, ['_meta'], marked)
}

function parsed(raw: RawJson): unknown {
  return parseJson(raw.toString('utf8'))?.value
}
