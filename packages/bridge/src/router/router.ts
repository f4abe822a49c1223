import { BridgeError } from '@bridgekeeper/protocol'
import { type CallOutcome, failed, type ToolCall } from '../calls/outcome.ts'
import type { Catalog } from '../connection/catalog-parts.ts'
import { NOT_SENT, type ReadyConnection, type SentCall } from '../connection/ready-connection.ts'
import { InFlight } from '../exchanges/in-flight.ts'
import { Groups } from '../groups.ts'
import type { Principal } from '../ports.ts'
import { type NamedServer, ServerNames } from './named-servers.ts'

export type { Catalog }

const NO_SERVERS: Catalog = new Map()
/** Requests of one user that wait for servers to start. */
const MAX_START_WAITS = 64

/** Picks the ready connection that runs a user's call. Knows only verified connections, as `ReadyConnection`. */
export class Router {
  /** Newest first: where two agents have a server of one name, the newer answers. */
  readonly #byUser = new Groups<ReadyConnection>()
  readonly #names = new ServerNames<ReadyConnection>()
  readonly #watchers = new Groups<() => void>()
  readonly #startWaits = new Map<string, Set<() => void>>()
  readonly #inFlight: InFlight

  constructor(inFlight = new InFlight()) {
    this.#inFlight = inFlight
  }

  /** [ROUTE.3] Closes the earlier connection of the same login only after the new one is verified. */
  registerConnection(connection: ReadyConnection): void {
    const { userId, sessionId } = connection.principal
    const others = this.connections(userId)
    this.#byUser.add(userId, connection)
    this.catalogChanged(connection)
    for (const other of others) {
      if (other.principal.sessionId === sessionId) other.replace()
    }
  }

  /** The connection of this login. */
  ofLogin({ userId, sessionId }: Pick<Principal, 'userId' | 'sessionId'>): ReadyConnection | undefined {
    return this.connections(userId).find(({ principal }) => principal.sessionId === sessionId)
  }

  /** [ROUTE.4] Removes only this connection, never another of the same user. */
  ended(connection: ReadyConnection): void {
    this.#byUser.remove(connection.principal.userId, connection)
    this.catalogChanged(connection)
  }

  /** Handles a changed catalog. */
  catalogChanged({ principal }: ReadyConnection): void {
    for (const check of [...(this.#startWaits.get(principal.userId) ?? [])]) check()
    for (const changed of this.#watchers.get(principal.userId)) changed()
  }

  /**
   * [ROUTE.8] Whether this server, or any, is in its first start since its agent connected, or an agent has
   * not sent its catalog yet. A server that another agent has ready is not starting.
   */
  isStarting(userId: string, serverName?: string): boolean {
    const connections = this.connections(userId)
    if (serverName === undefined)
      return connections.some((each) => isCatalogPending(each) || hasStarting(each))
    const states = connections.map(({ catalog }) => catalog?.get(serverName)?.state)
    if (states.includes('ready')) return false
    return states.includes('starting') || connections.some(isCatalogPending)
  }

  /** Calls back whenever the user's servers may have changed. @returns stops that */
  watch(userId: string, changed: () => void): () => void {
    const listener = (): void => changed()
    this.#watchers.add(userId, listener)
    return () => this.#watchers.remove(userId, listener)
  }

  /**
   * Calls back whenever what the user has may have changed.
   * @returns stops that; `undefined` when too many wait already
   */
  onCatalogChanged(userId: string, check: () => void): (() => void) | undefined {
    const waits = this.#startWaits.get(userId) ?? new Set()
    if (waits.size >= MAX_START_WAITS) return undefined
    this.#startWaits.set(userId, waits.add(check))
    return () => {
      waits.delete(check)
      if (waits.size === 0 && this.#startWaits.get(userId) === waits) this.#startWaits.delete(userId)
    }
  }

  /** Runs a call on the user's agent that has the server. `settle` is called exactly once. */
  call(userId: string, call: ToolCall, settle: (outcome: CallOutcome) => void): SentCall {
    const found = this.#inFlight.isDraining
      ? new BridgeError('shutting_down')
      : this.find(userId, call.serverName)
    if (found instanceof BridgeError) {
      settle(failed(found))
      return NOT_SENT
    }
    this.#inFlight.began()
    const { connection, localName } = found
    return connection.call({ ...call, serverName: localName }, (outcome) => {
      if (outcome.kind === 'large') outcome.result.whenDone(() => this.#inFlight.ended())
      else this.#inFlight.ended()
      settle(outcome)
    })
  }

  /** Requests that wait for an answer. */
  get inFlight(): number {
    return this.#inFlight.count
  }

  /** Accepts no further requests; resolves when none waits for an answer. */
  drain(): Promise<void> {
    return this.#inFlight.drain()
  }

  /** The user's local servers of all agents, as far as agents tell, under the names that callers use. */
  catalog(userId: string): Catalog {
    const [newest, ...others] = this.connections(userId)
    if (others.length === 0) return newest?.catalog ?? NO_SERVERS
    return this.#names.of(this.connections(userId)).catalog
  }

  /** Returns the reason why the tools of this server, or of all, cannot be listed now; `undefined` if they can. */
  obstacle(userId: string, serverName?: string): BridgeError | undefined {
    if (serverName !== undefined) {
      const found = this.find(userId, serverName)
      if (found instanceof BridgeError) return found
      return isCatalogPending(found.connection)
        ? new BridgeError('server_unavailable', JUST_CONNECTED)
        : undefined
    }
    const connections = this.connections(userId)
    if (connections.length === 0) return new BridgeError('agent_offline')
    return connections.every(isCatalogPending)
      ? new BridgeError('server_unavailable', JUST_CONNECTED)
      : undefined
  }

  /** The user's verified connections, newest first. */
  connections(userId: string): readonly ReadyConnection[] {
    return this.#byUser.get(userId)
  }

  /** The user's local servers, with their machines. */
  servers(userId: string): readonly NamedServer<ReadyConnection>[] {
    return this.#names.of(this.connections(userId)).listed
  }

  /** The connection of the agent that has this server ready, or that may have it; otherwise the refusal. */
  find(userId: string, serverName: string): FoundServer | BridgeError {
    const connections = this.connections(userId)
    if (connections.length === 0) return new BridgeError('agent_offline')
    const [connection] = connections
    // With one machine, most calls need no names.
    if (connections.length === 1 && connection?.catalog?.get(serverName)?.state === 'ready')
      return { connection, localName: serverName }
    return this.#findNamed(connections, serverName)
  }

  #findNamed(connections: readonly ReadyConnection[], serverName: string): FoundServer | BridgeError {
    const found = this.#names.of(connections).find(serverName)
    if (found?.server.state === 'ready') return { connection: found.machine, localName: found.localName }
    const withoutCatalog = connections.find(({ catalog }) => catalog === undefined)
    if (withoutCatalog !== undefined) return { connection: withoutCatalog, localName: serverName }
    if (found === undefined)
      return new BridgeError('server_not_found', `Asked for ${JSON.stringify(serverName)}.`)
    return new BridgeError('server_unavailable', found.server.reason ?? `It is ${found.server.state}.`)
  }
}

/** A local server and the connection that leads to it. */
export interface FoundServer {
  readonly connection: ReadyConnection
  /** Name of the server on its machine. */
  readonly localName: string
}

const JUST_CONNECTED = 'The agent has just connected and has not reported its local servers yet.'

/** [ROUTE.7] An agent that will tell its servers, and has not yet: an empty list would be a lie. */
function isCatalogPending({ version, catalog }: ReadyConnection): boolean {
  return version === 'v2' && catalog === undefined
}

/** A server that failed or was ready before is not waited for: its agent reports no second start. */
function hasStarting({ catalog }: ReadyConnection): boolean {
  return catalog !== undefined && [...catalog.values()].some(({ state }) => state === 'starting')
}
