import type { Directory } from '../../directory/directory.ts'
import type { System } from '../../ports.ts'
import type { Dispatcher } from '../../router/dispatcher.ts'
import type { ExchangeRequests } from '../exchange-requests.ts'
import type { FromCatalog } from '../from-catalog.ts'
import type { McpSessions } from '../mcp-session.ts'
import type { ExposedNames } from '../tool-names.ts'
import { Addresses } from './addresses.ts'
import { Gatherer } from './gatherer.ts'
import { Lists } from './lists.ts'
import { MergedLists } from './merged-lists.ts'
import { AggregateRequests } from './requests.ts'
import { SetLevel } from './set-level.ts'

interface AggregateParts {
  readonly dispatcher: Dispatcher
  readonly directory: Directory
  readonly names: ExposedNames
  readonly sessions: McpSessions
  readonly exchanges: ExchangeRequests
  readonly fromCatalog: FromCatalog
  readonly system: System
}

/** Creates what answers at `/mcp`. */
export function aggregateOf(parts: AggregateParts): AggregateRequests {
  const { dispatcher, directory, names, sessions, exchanges, fromCatalog, system } = parts
  const gatherer = new Gatherer(dispatcher, system)
  const lists = new Lists(gatherer)
  return new AggregateRequests({
    ...{ directory, sessions, exchanges },
    streams: { dispatcher, directory, system },
    lists: new MergedLists(directory, names, lists, fromCatalog),
    addresses: new Addresses(directory, names, gatherer, lists),
    setLevel: new SetLevel(directory, gatherer),
  })
}
