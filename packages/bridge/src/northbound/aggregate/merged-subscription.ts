import {
  isObject,
  type Payload,
  parseJson,
  type RawJson,
  textAt,
  toJson,
  valueAt,
} from '@bridgekeeper/protocol'
import type { Opening } from '../../exchanges/exchange.ts'
import { EventStream } from '../event-stream.ts'
import { withMember } from '../json-edits.ts'
import type { OpenRequest } from '../open-request.ts'
import { guarded } from '../respond.ts'
import { ServerStreams, type StreamParts, type StreamsReader } from '../server-streams.ts'
import type { Address, Search } from './addresses.ts'
import { openingFor } from './openings.ts'
import { readMerged } from './read-merged.ts'

const METHOD = 'subscriptions/listen'
const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged'
const SUBSCRIPTION_ID = 'io.modelcontextprotocol/subscriptionId'
const URIS = ['params', 'notifications', 'resourceSubscriptions']
/** Which list a member of the request asks for. */
const LISTS = {
  toolsListChanged: 'tools',
  promptsListChanged: 'prompts',
  resourcesListChanged: 'resources',
} as const

/** A resource that a client subscribes to, as it names it. */
export interface SubscribedResource extends Address {
  readonly exposedUri: string
}

/** [AGG.11] Answers `subscriptions/listen` at `/mcp`: the subscriptions at all servers as one. */
export class MergedSubscription implements StreamsReader {
  readonly #open: OpenRequest
  readonly #directory: StreamParts['directory']
  readonly #id: RawJson
  readonly #search: Search
  readonly #resources: readonly SubscribedResource[]
  readonly #wanted: Readonly<Record<string, unknown>>
  readonly #stream: EventStream
  readonly #streams: ServerStreams

  /** @param id the caller's JSON-RPC id */
  constructor(parts: StreamParts, id: RawJson, search: Search, resources: readonly SubscribedResource[]) {
    const { open } = search
    this.#open = open
    this.#directory = parts.directory
    this.#id = id
    this.#search = search
    this.#resources = resources
    this.#wanted = wantedIn(search.message)
    this.#stream = new EventStream(open, parts.system)
    this.#streams = new ServerStreams(open, parts, this)
  }

  begin(): void {
    this.#send(this.#note(ACKNOWLEDGED, { notifications: this.#wanted }))
    this.#streams.begin(undefined)
  }

  /** Each server gets the resources that are its own. */
  openingFor(serverName: string): Opening {
    const { message, facts } = this.#search
    const uris = this.#resources.filter((one) => one.serverName === serverName).map(({ name }) => name)
    const own = 'resourceSubscriptions' in this.#wanted ? withMember(message, URIS, toJson(uris)) : message
    return { ...openingFor(serverName, METHOD, undefined, own ?? message, facts), streams: true }
  }

  servers(): readonly string[] {
    return this.#directory.exchangeServers(this.#open.caller.userId).map(({ name }) => name)
  }

  accepted(): void {}

  ended(): boolean {
    return true
  }

  message(serverName: string, message: Payload): void {
    readMerged(this.#open, message, (whole) => this.#pass(serverName, whole))
  }

  #pass(serverName: string, message: RawJson): void {
    const method = textAt(message, ['method'])
    // The subscription goes on when that of one server ends.
    if (method === undefined || method === ACKNOWLEDGED) return
    const uri = textAt(message, ['params', 'uri'])
    const resource = this.#resources.find((one) => one.serverName === serverName && one.name === uri)
    const exposed = resource && withMember(message, ['params', 'uri'], toJson(resource.exposedUri))
    this.#send(exposed ?? message)
  }

  changed(): void {
    for (const [member, what] of Object.entries(LISTS))
      if (this.#wanted[member] === true) this.#send(this.#note(`notifications/${what}/list_changed`, {}))
  }

  #note(method: string, params: object): RawJson {
    const note = toJson({ jsonrpc: '2.0', method, params })
    return withMember(note, ['params', '_meta', SUBSCRIPTION_ID], this.#id) ?? note
  }

  #send(message: RawJson): void {
    guarded(this.#open.response, () => {
      if (!this.#open.isGone) this.#stream.message([message])
    })
  }
}

/** The notifications that a client asks for; `{}` if the request does not say. */
export function wantedIn(message: RawJson): Readonly<Record<string, unknown>> {
  const text = valueAt(message, ['params', 'notifications'])?.toString('utf8') ?? '{}'
  const wanted = parseJson(text)?.value
  return isObject(wanted) ? wanted : {}
}
