import type { BridgeError } from '@bridgekeeper/protocol'
import type { Catalog } from '../connection/catalog-parts.ts'
import type { ReadyConnection } from '../connection/ready-connection.ts'
import { type ExchangeServer, takesExchanges } from '../exchanges/directory.ts'
import { type NamedServer, ServerNames } from '../router/named-servers.ts'
import type { Router } from '../router/router.ts'
import type { LastKnown, SleepingMachine } from './last-known.ts'

/** A connected machine. */
export type AwakeMachine = Pick<
  ReadyConnection,
  'principal' | 'machineName' | 'sinceMs' | 'version' | 'catalog'
>

/**
 * A user's local servers, awake or asleep. While no machine is connected, lists show what the machines had when they
 * left.
 */
export class KnownServers {
  readonly #router: Router
  readonly #lastKnown: LastKnown
  readonly #names = new ServerNames<SleepingMachine>()

  constructor(router: Router, lastKnown: LastKnown) {
    this.#router = router
    this.#lastKnown = lastKnown
  }

  /** The servers that lists show. */
  catalog(userId: string): Catalog {
    if (this.connected(userId).length > 0) return this.#router.catalog(userId)
    return this.#names.of(this.#lastKnown.machines(userId)).catalog
  }

  /** Why this server, or all, cannot be listed; `undefined` if they can. */
  obstacle(userId: string, serverName?: string): BridgeError | undefined {
    const obstacle = this.#router.obstacle(userId, serverName)
    if (obstacle?.code !== 'agent_offline') return obstacle
    return serverName === undefined || this.catalog(userId).has(serverName) ? undefined : obstacle
  }

  isStarting(userId: string, serverName?: string): boolean {
    return this.#router.isStarting(userId, serverName)
  }

  /** Calls back whenever the user's servers may have changed. @returns stops that */
  watch(userId: string, changed: () => void): () => void {
    return this.#router.watch(userId, changed)
  }

  /** The user's connected machines, newest first. */
  connected(userId: string): readonly AwakeMachine[] {
    return this.#router.connections(userId)
  }

  /** The local servers of connected machines. */
  servers(userId: string): readonly NamedServer<AwakeMachine>[] {
    return this.#router.servers(userId)
  }

  /** Local servers of connected machines that answer themselves. */
  exchangeServers(userId: string): readonly ExchangeServer[] {
    return [...this.#router.catalog(userId).values()].filter(takesExchanges)
  }

  /** The user's machines that are not connected, the latest first. */
  asleep(userId: string): readonly SleepingMachine[] {
    const awake = this.connected(userId).map(({ principal }) => principal.sessionId)
    return this.#lastKnown.machines(userId).filter(({ principal }) => !awake.includes(principal.sessionId))
  }

  /** The machine that has this local server, if it is asleep and no other has one of that name. */
  sleepingMachine(userId: string, serverName: string): SleepingMachine | undefined {
    return this.#names.of(this.asleep(userId)).find(serverName)?.machine
  }
}
