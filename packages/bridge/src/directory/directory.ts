import { BridgeError } from '@bridgekeeper/protocol'
import { Groups } from '../collections/groups.ts'
import type { Catalog } from '../connection/catalog-parts.ts'
import type { ReadyConnection } from '../connection/ready-connection.ts'
import type { Client, Upstream } from '../exchanges/exchange.ts'
import { type ExchangeTable, refused } from '../exchanges/exchange-table.ts'
import type { MachineClients } from '../exchanges/machine-clients.ts'
import type { Revocation } from '../ports/sessions.ts'
import type { Principal, System } from '../ports.ts'
import { type ExchangeServer, takesExchanges } from './exchange-server.ts'
import { LastKnown, type SleepingMachine } from './last-known.ts'
import { type NamedServer, ServerNames } from './named-servers.ts'
import { Watchers } from './watchers.ts'

export type { Catalog }

/** A connected machine. */
export interface AwakeMachine {
  readonly connection: ReadyConnection
  readonly principal: Principal
  /** Name that its user gave it, if it is enrolled. */
  readonly machineName: string | undefined
  /** Local servers that the agent reported; `undefined` until it does. v1 agents never do. */
  readonly catalog: Catalog | undefined
}

interface Entry extends AwakeMachine {
  catalog: Catalog | undefined
}

const NO_SERVERS: Catalog = new Map()
const NOT_REPORTED = 'Its agent has not reported what it offers.'
const JUST_CONNECTED = 'The agent has just connected and has not reported its local servers yet.'

/**
 * Knows the local servers of each user, and where they are. Keeps the catalogs of connected machines, and the last known
 * ones of machines that sleep. Knows only verified connections, as `ReadyConnection`.
 */
export class Directory {
  /** Newest first: where two machines have a server of one name, the newer answers. */
  readonly #awake = new Groups<Entry>()
  readonly #awakeNames = new ServerNames<AwakeMachine>()
  readonly #lastKnown = new LastKnown()
  readonly #sleepingNames = new ServerNames<SleepingMachine>()
  readonly #watchers = new Watchers()
  readonly #exchanges: ExchangeTable
  readonly #clients: MachineClients
  readonly #system: Pick<System, 'nowMs'>

  constructor(exchanges: ExchangeTable, clients: MachineClients, system: Pick<System, 'nowMs'>) {
    this.#exchanges = exchanges
    this.#clients = clients
    this.#system = system
  }

  /** Adds a verified connection. [ROUTE.3] Only then closes the earlier connection of the same login. */
  registerConnection(connection: ReadyConnection): void {
    const { principal, machineName } = connection
    const { userId, sessionId } = principal
    const others = this.awake(userId)
    this.#awake.add(userId, { connection, principal, machineName, catalog: undefined })
    this.#watchers.notify(userId)
    for (const other of others) {
      if (other.principal.sessionId === sessionId) other.connection.replace()
    }
  }

  /** Replaces the catalog of a connected machine. */
  report(connection: ReadyConnection, catalog: Catalog): void {
    const machine = this.#entryOf(connection)
    if (machine === undefined) return
    machine.catalog = catalog
    this.#watchers.notify(machine.principal.userId)
  }

  /** The connection has ended. [ROUTE.4] Removes only this one, never another of the same user. */
  remove(connection: ReadyConnection): void {
    const machine = this.#entryOf(connection)
    if (machine === undefined) return
    this.#awake.remove(machine.principal.userId, machine)
    this.#lastKnown.left(machine, this.#system.nowMs())
    this.#watchers.notify(machine.principal.userId)
  }

  /** [AGG.2] Forgets the sleeping machines of a user, login session or device that was revoked. */
  forget(revocation: Revocation): void {
    this.#lastKnown.forget(revocation)
  }

  /** [SESS.9] Ends a session at every machine that its client used. */
  sessionEnded(client: Client, id: string): void {
    this.#clients.sessionEnded(client, id)
  }

  /** Calls back whenever the user's servers may have changed. @returns stops that */
  watch(userId: string, changed: () => void): () => void {
    return this.#watchers.watch(userId, changed)
  }

  /** The same for a request that waits. @returns `undefined` if too many wait already */
  wait(userId: string, changed: () => void): (() => void) | undefined {
    return this.#watchers.wait(userId, changed)
  }

  /** The user's connected machines, newest first. */
  awake(userId: string): readonly AwakeMachine[] {
    return this.#awake.get(userId)
  }

  /** The connected machine of this login. */
  ofLogin({ userId, sessionId }: Pick<Principal, 'userId' | 'sessionId'>): AwakeMachine | undefined {
    return this.awake(userId).find(({ principal }) => principal.sessionId === sessionId)
  }

  /** The user's machines that are not connected, the latest first. */
  asleep(userId: string): readonly SleepingMachine[] {
    const awake = this.awake(userId).map(({ principal }) => principal.sessionId)
    return this.#lastKnown.machines(userId).filter(({ principal }) => !awake.includes(principal.sessionId))
  }

  /** The machine that has this local server, if it is asleep and no other has one of that name. */
  sleepingMachine(userId: string, serverName: string): SleepingMachine | undefined {
    return this.#sleepingNames.of(this.asleep(userId)).find(serverName)?.machine
  }

  /** The servers that lists show: while no machine is connected, those that the machines had when they left. */
  catalog(userId: string): Catalog {
    if (this.awake(userId).length > 0) return this.awakeCatalog(userId)
    return this.#sleepingNames.of(this.#lastKnown.machines(userId)).catalog
  }

  /** The local servers of connected machines, as far as agents tell, under the names that callers use. */
  awakeCatalog(userId: string): Catalog {
    const machines = this.awake(userId)
    if (machines.length > 1) return this.#awakeNames.of(machines).catalog
    return machines[0]?.catalog ?? NO_SERVERS
  }

  /** The local servers of connected machines, with their machines. */
  servers(userId: string): readonly NamedServer<AwakeMachine>[] {
    return this.#awakeNames.of(this.awake(userId)).listed
  }

  /** Local servers of connected machines that answer themselves. */
  exchangeServers(userId: string): readonly ExchangeServer[] {
    return [...this.awakeCatalog(userId).values()].filter(takesExchanges)
  }

  /** Why this server, or all, cannot be listed; `undefined` if they can. */
  obstacle(userId: string, serverName?: string): BridgeError | undefined {
    const machines = this.awake(userId)
    if (machines.length === 0) {
      const isKnown = serverName === undefined || this.catalog(userId).has(serverName)
      return isKnown ? undefined : new BridgeError('agent_offline')
    }
    const place = serverName === undefined ? undefined : this.#locate(userId, serverName)
    if (place instanceof BridgeError) return place
    const isPending = place === undefined ? machines.every(isCatalogPending) : isCatalogPending(place.machine)
    return isPending ? new BridgeError('server_unavailable', JUST_CONNECTED) : undefined
  }

  /**
   * [ROUTE.8] Whether this server, or any, is in its first start since its agent connected, or an agent has
   * not sent its catalog yet. A server that another agent has ready is not starting.
   */
  isStarting(userId: string, serverName?: string): boolean {
    const machines = this.awake(userId)
    if (serverName === undefined) return machines.some((each) => isCatalogPending(each) || hasStarting(each))
    const states = machines.map(({ catalog }) => catalog?.get(serverName)?.state)
    if (states.includes('ready')) return false
    return states.includes('starting') || machines.some(isCatalogPending)
  }

  /** The way to the connected machine that has this server ready, or that may have it; otherwise the refusal. */
  find(userId: string, serverName: string): Upstream | BridgeError {
    const place = this.#locate(userId, serverName)
    if (place instanceof BridgeError) return place
    const { machine, localName } = place
    const { connection, catalog } = machine
    return {
      call: (call, settle) => connection.call({ ...call, serverName: localName }, settle),
      open: (opening, client, reader) => {
        if (!takesExchanges(catalog?.get(localName)))
          return refused(reader, new BridgeError('server_unavailable', NOT_REPORTED))
        this.#clients.used(client, connection)
        return this.#exchanges.open(connection, { ...opening, serverName: localName }, client.name, reader)
      },
    }
  }

  #locate(userId: string, serverName: string): Place | BridgeError {
    const machines = this.awake(userId)
    const [machine] = machines
    if (machine === undefined) return new BridgeError('agent_offline')
    // With one machine, most calls need no names.
    if (machines.length === 1 && machine.catalog?.get(serverName)?.state === 'ready')
      return { machine, localName: serverName }
    const found = this.#awakeNames.of(machines).find(serverName)
    if (found?.server.state === 'ready') return found
    const silent = machines.find(({ catalog }) => catalog === undefined)
    if (silent !== undefined) return { machine: silent, localName: serverName }
    if (found === undefined)
      return new BridgeError('server_not_found', `Asked for ${JSON.stringify(serverName)}.`)
    return new BridgeError('server_unavailable', found.server.reason ?? `It is ${found.server.state}.`)
  }

  #entryOf(connection: ReadyConnection): Entry | undefined {
    return this.#awake.get(connection.principal.userId).find((each) => each.connection === connection)
  }
}

/** Place of a local server. */
interface Place {
  readonly machine: AwakeMachine
  /** Name of the server on its machine. */
  readonly localName: string
}

/** [ROUTE.7] A v2 agent that has not reported its servers yet: an empty list would be wrong. */
function isCatalogPending({ connection, catalog }: AwakeMachine): boolean {
  return connection.version === 'v2' && catalog === undefined
}

/** A server that failed or was ready before is not waited for: its agent reports no second start. */
function hasStarting({ catalog = NO_SERVERS }: AwakeMachine): boolean {
  return [...catalog.values()].some(({ state }) => state === 'starting')
}
