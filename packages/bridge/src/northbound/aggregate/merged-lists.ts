import type { RawJson } from '@bridgekeeper/protocol'
import type { Directory } from '../../directory/directory.ts'
import { denialError } from '../../gates/verdict.ts'
import { listMembers } from '../discovery.ts'
import type { FromCatalog } from '../from-catalog.ts'
import { arrayOf } from '../json-edits.ts'
import { type RpcRequest, readListParams } from '../message.ts'
import type { MessageContext } from '../message-context.ts'
import { sendError } from '../send-error.ts'
import type { ExposedNames } from '../tool-names.ts'
import type { Search } from './addresses.ts'
import { type ListedItem, shownPrompt, shownResource, shownTool } from './list-items.ts'
import { type ListKind, PROMPTS, RESOURCES, TASKS, TOOLS } from './list-kinds.ts'
import type { Lists, ServerPart } from './lists.ts'
import type { SessionFacts } from './openings.ts'
import { appOwnersOf } from './resource-names.ts'

/** [AGG.8] Answers lists with the items of all servers, as one page. */
export class MergedLists {
  readonly #directory: Directory
  readonly #names: ExposedNames
  readonly #lists: Lists
  readonly #fromCatalog: FromCatalog

  constructor(directory: Directory, names: ExposedNames, lists: Lists, fromCatalog: FromCatalog) {
    this.#directory = directory
    this.#names = names
    this.#lists = lists
    this.#fromCatalog = fromCatalog
  }

  async answer(
    context: MessageContext,
    request: RpcRequest,
    kind: ListKind,
    { message, facts }: Search,
  ): Promise<void> {
    const { open, body, reply, view } = context
    const { userId } = open.caller
    const servers = this.#directory.exchangeServers(userId)
    if (kind === TOOLS && servers.length === 0) return this.#fromCatalog.answer(context, request, facts.era)
    const invalid = readListParams(body, request.params)
    if (invalid !== undefined) return sendError(reply, request.id, invalid)
    const parts = await this.#lists.read(open, servers, kind, message, facts)
    if (open.isGone) return
    const items = kind === TOOLS ? this.#tools(context, parts, facts) : this.#others(context, kind, parts)
    const list = arrayOf(items)
    const refused = open.hold(list.length)
    if (refused !== undefined) return reply.refuse(request.id, denialError(refused))
    const head = Buffer.from(`{"${kind.member}":`)
    reply.result(request.id, Buffer.concat([head, list, Buffer.from(listMembers(facts.era, view))]))
    open.sent()
  }

  /** Servers that did not answer, or get only calls, are listed from the catalog. */
  #tools(
    { open, view }: MessageContext,
    parts: readonly ServerPart[],
    { session }: SessionFacts,
  ): readonly RawJson[] {
    const { userId, scopes } = open.caller
    const catalog = this.#directory.catalog(userId)
    const answered = parts.filter(({ items }) => items !== undefined)
    const fresh = new Set(answered.map(({ server }) => server.name))
    const hasTasks = session?.traits.includes('tasks') ?? false
    const facts = { names: this.#names, catalog, scopes, hasTasks }
    const shown = unique(
      answered.flatMap(({ items = [] }) => items),
      this.#names,
    ).flatMap((item) => shownTool(item, facts) ?? [])
    return [...shown, ...view.listed((serverName) => !fresh.has(serverName))]
  }

  #others({ open }: MessageContext, kind: ListKind, parts: readonly ServerPart[]): readonly RawJson[] {
    const items = parts.flatMap(({ items: some = [] }) => some)
    if (kind === TASKS) return items.map(({ raw }) => raw)
    if (kind === PROMPTS)
      return unique(items, this.#names).flatMap((item) => shownPrompt(item, this.#names) ?? [])
    const apps =
      kind === RESOURCES
        ? appOwnersOf(this.#directory.catalog(open.caller.userId))
        : new Map<string, string>()
    const owners = new Map(apps)
    for (const { key, serverName } of items) if (!owners.has(key)) owners.set(key, serverName)
    return items.flatMap((item) => shownResource(item, kind, owners.get(item.key) ?? '') ?? [])
  }
}

/** The first of several items with one exposed name. */
function unique(items: readonly ListedItem[], names: ExposedNames): readonly ListedItem[] {
  const byName = new Map<string, ListedItem>()
  for (const item of items) {
    const name = names.of(item.serverName, item.key)
    if (!byName.has(name)) byName.set(name, item)
  }
  return [...byName.values()]
}
