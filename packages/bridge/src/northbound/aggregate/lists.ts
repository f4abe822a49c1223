import { limits, type RawJson, textAt, toJson } from '@bridgekeeper/protocol'
import { capabilityOf, type ExchangeServer } from '../../directory/exchange-server.ts'
import type { Opening } from '../../exchanges/exchange.ts'
import { resultOf, withMember } from '../json-edits.ts'
import type { OpenRequest } from '../open-request.ts'
import type { Ask, Gatherer } from './gatherer.ts'
import { itemsOf, type ListedItem, MAX_ITEMS } from './list-items.ts'
import { type ListKind, TOOLS } from './list-kinds.ts'
import { openingFor, type SessionFacts } from './openings.ts'

/** Pages of one server in one list: enough for all items at ten on a page. */
export const MAX_PAGES = 128
/** Sum of these pages. A catalog has no more. */
export const MAX_LIST_BYTES = limits.catalogBytes

/** The part of one server. */
export interface ServerPart {
  readonly server: ExchangeServer
  /** `undefined` if it did not answer, or has more tools than could be read. */
  readonly items: readonly ListedItem[] | undefined
}

/** Reads a list of MCP from several servers. */
export class Lists {
  readonly #gatherer: Gatherer

  constructor(gatherer: Gatherer) {
    this.#gatherer = gatherer
  }

  /**
   * Reads all pages of all servers that have the list. @param message asks for the first page
   * @returns the parts in the order of the servers
   */
  async read(
    open: OpenRequest,
    servers: readonly ExchangeServer[],
    kind: ListKind,
    message: RawJson,
    facts: SessionFacts,
  ): Promise<readonly ServerPart[]> {
    const having = servers.filter((server) => capabilityOf(server, kind.capability) !== undefined)
    return this.#gatherer.each(open, having, async (server, ask) => ({
      server,
      items: await readPages(server, kind, message, facts, (opening, page) => {
        // [LOAD.4] One small request could otherwise make thousands.
        if (page > 0) open.charge(0)
        return ask(opening)
      }),
    }))
  }
}

async function readPages(
  server: ExchangeServer,
  kind: ListKind,
  message: RawJson,
  facts: SessionFacts,
  ask: (opening: Opening, page: number) => ReturnType<Ask>,
): Promise<readonly ListedItem[] | undefined> {
  const items: ListedItem[] = []
  const cursors = new Set<string>()
  let bytes = 0
  let next: RawJson | undefined = message
  for (let page = 0; page < MAX_PAGES && next !== undefined && items.length < MAX_ITEMS; page++) {
    const answer: RawJson | undefined = await ask(
      openingFor(server.name, kind.method, undefined, next, facts),
      page,
    )
    const result = answer && resultOf(answer)
    bytes += answer?.length ?? 0
    if (result === undefined || bytes > MAX_LIST_BYTES)
      return page === 0 ? undefined : unfinished(kind, items)
    items.push(...itemsOf(result, kind, server.name))
    const cursor = textAt(result, ['nextCursor']) ?? ''
    // [TOOLS.10] An empty or repeated cursor ends the list.
    if (cursor === '' || cursors.has(cursor)) return items.slice(0, MAX_ITEMS)
    cursors.add(cursor)
    next = withMember(message, ['params', 'cursor'], toJson(cursor))
  }
  return unfinished(kind, items.slice(0, MAX_ITEMS))
}

/** The catalog has all tools of a server, so it is better than a part of them. */
function unfinished(kind: ListKind, items: readonly ListedItem[]): readonly ListedItem[] | undefined {
  return kind === TOOLS ? undefined : items
}
