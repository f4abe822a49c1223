import { OPEN_BRACE, type RawJson, toJson, valueAt, withoutMembers } from '@bridgekeeper/protocol'
import type { Directory } from '../../directory/directory.ts'
import { capabilityOf, type ExchangeServer } from '../../directory/exchange-server.ts'
import { resultOf, withMember } from '../json-edits.ts'
import type { OpenRequest } from '../open-request.ts'
import { type ExposedNames, isHashed, readPlain } from '../tool-names.ts'
import type { Gatherer } from './gatherer.ts'
import type { ListedItem } from './list-items.ts'
import { type ListKind, PROMPTS, RESOURCES, TEMPLATES } from './list-kinds.ts'
import type { Lists } from './lists.ts'
import { openingFor, type SessionFacts } from './openings.ts'
import { appOwnersOf, templateFits, unwrappedUri } from './resource-names.ts'

/** A prompt, resource or task of one local server. */
export interface Address {
  readonly serverName: string
  /** Name or URI at that server. */
  readonly name: string
}

/** A caller's request that must reach the right server. */
export interface Search {
  readonly open: OpenRequest
  /** The caller's message. */
  readonly message: RawJson
  readonly facts: SessionFacts
}

/** [AGG.9] Finds the local server of a prompt, resource or task. Servers are asked where a name does not tell. */
export class Addresses {
  readonly #directory: Directory
  readonly #names: ExposedNames
  readonly #gatherer: Gatherer
  readonly #lists: Lists
  readonly #asked = new WeakMap<Search, Map<ListKind, Promise<readonly ListedItem[]>>>()

  constructor(directory: Directory, names: ExposedNames, gatherer: Gatherer, lists: Lists) {
    this.#directory = directory
    this.#names = names
    this.#gatherer = gatherer
    this.#lists = lists
  }

  async prompt(search: Search, exposedName: string): Promise<Address | undefined> {
    const items = isHashed(exposedName) ? await this.#items(search, PROMPTS) : []
    const found = items.find((item) => this.#names.of(item.serverName, item.key) === exposedName)
    if (found !== undefined) return { serverName: found.serverName, name: found.key }
    const { serverName = '', toolName: name = '' } = readPlain(exposedName) ?? {}
    const isHere = this.#having(search, 'prompts').some((server) => server.name === serverName)
    return isHere ? { serverName, name } : undefined
  }

  /** [AGG.10] The server that keeps the URI: of an App, then of a listed resource, then of a template. */
  async resource(search: Search, uri: string): Promise<Address | undefined> {
    const having = this.#having(search, 'resources')
    const wrapped = unwrappedUri(uri)
    if (wrapped !== undefined && having.some(({ name }) => name === wrapped.serverName))
      return { serverName: wrapped.serverName, name: wrapped.uri }
    const appOwner = appOwnersOf(this.#directory.catalog(search.open.caller.userId)).get(uri)
    const [only, ...others] = having
    const certain = appOwner ?? (others.length === 0 ? only?.name : undefined)
    if (certain !== undefined) return { serverName: certain, name: uri }
    const listed = (await this.#items(search, RESOURCES)).find(({ key }) => key === uri)
    const owner = listed ?? (await this.#fitting(search, uri))
    return owner && { serverName: owner.serverName, name: uri }
  }

  /** The server that keeps a template of URIs. */
  async template(search: Search, template: string): Promise<Address | undefined> {
    const wrapped = unwrappedUri(template)
    if (wrapped !== undefined) return { serverName: wrapped.serverName, name: wrapped.uri }
    const found = (await this.#items(search, TEMPLATES)).find(({ key }) => key === template)
    return found && { serverName: found.serverName, name: template }
  }

  /** The server that knows the task. */
  async task(search: Search, taskId: string): Promise<Address | undefined> {
    const having = this.#having(search, 'tasks')
    const [only, ...others] = having
    if (only !== undefined && others.length === 0) return { serverName: only.name, name: taskId }
    const message = ownRequest(search, 'tasks/get', { taskId })
    const answers = await this.#gatherer.each(search.open, having, async ({ name }, ask) => {
      const answer = await ask(openingFor(name, 'tasks/get', taskId, message, search.facts))
      return answer !== undefined && resultOf(answer) !== undefined
    })
    const found = having[answers.indexOf(true)]
    return found && { serverName: found.name, name: taskId }
  }

  #having({ open }: Search, capability: string): readonly ExchangeServer[] {
    return this.#directory
      .exchangeServers(open.caller.userId)
      .filter((server) => capabilityOf(server, capability) !== undefined)
  }

  /** Asks once for each search. */
  #items(search: Search, kind: ListKind): Promise<readonly ListedItem[]> {
    const lists = this.#asked.get(search) ?? new Map<ListKind, Promise<readonly ListedItem[]>>()
    const items = lists.get(kind) ?? this.#read(search, kind)
    this.#asked.set(search, lists.set(kind, items))
    return items
  }

  async #read(search: Search, kind: ListKind): Promise<readonly ListedItem[]> {
    const { open, facts } = search
    const servers = this.#directory.exchangeServers(open.caller.userId)
    const parts = await this.#lists.read(open, servers, kind, ownRequest(search, kind.method, {}), facts)
    return parts.flatMap(({ items = [] }) => items)
  }

  /** The template with the longest beginning that fits. */
  async #fitting(search: Search, uri: string): Promise<ListedItem | undefined> {
    const fitting = (await this.#items(search, TEMPLATES)).filter(({ key }) => templateFits(key, uri))
    const lengths = fitting.map(({ key }) => key.indexOf('{'))
    return fitting[lengths.indexOf(Math.max(...lengths))]
  }
}

/** A request of the bridge's own, with the envelope of the caller's. */
function ownRequest({ message }: Search, method: string, params: object): RawJson {
  const request = toJson({ jsonrpc: '2.0', id: `bridgekeeper ${method}`, method, params })
  const meta = valueAt(message, ['params', '_meta'])
  const envelope = meta?.[0] === OPEN_BRACE ? withoutMembers(meta, ['progressToken']) : undefined
  return (envelope && withMember(request, ['params', '_meta'], envelope)) ?? request
}

/** Replaces a name in the parameters of a request. */
export function renamed(message: RawJson, path: readonly string[], name: string): RawJson {
  return withMember(message, ['params', ...path], toJson(name)) ?? message
}
