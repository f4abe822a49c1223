import { encode } from '@bridgekeeper/protocol'
import type { ReadyConnection } from '../connection/ready-connection.ts'
import type { Client, ClientLogin } from './exchange.ts'

/** Logins that are remembered of one machine; those used longest ago are forgotten. */
export const MAX_CLIENTS = 1_024
/** Machines without a connection that are remembered; those that left first are forgotten. */
export const MAX_AWAY = 1_024

/** A machine, by its own login session, with the clients that used it. */
interface Machine {
  connection: ReadyConnection | undefined
  /** By name, the one used longest ago first. */
  readonly clients: Map<string, MachineClient>
}

/**
 * [EXCH.12] The logins that used each machine. What a machine runs for an MCP session outlives its callers, so the
 * machine learns when their login is revoked; one that is away, when it is back.
 */
export class MachineClients {
  /** By login session. */
  readonly #machines = new Map<string, Machine>()
  /** Login sessions of machines without a connection, in the order in which they left. */
  readonly #away = new Set<string>()

  /** A caller of this login uses the machine. */
  used({ name, login }: Client, connection: ReadyConnection): void {
    if (login === undefined) return
    const { sessionId } = connection.principal
    const machine = this.#machines.get(sessionId) ?? { connection, clients: new Map() }
    const known = machine.clients.get(name)
    const client = known?.login === login ? known : new MachineClient(name, login, machine)
    if (client !== known) {
      if (!login.open(client)) return
      known?.close()
    }
    machine.clients.delete(name)
    machine.clients.set(name, client)
    this.#machines.set(sessionId, machine)
    const [oldest] = machine.clients.values()
    if (machine.clients.size > MAX_CLIENTS) oldest?.forget()
  }

  /** A machine is connected. It learns of what was revoked while it was away. */
  connected(connection: ReadyConnection): void {
    const { sessionId } = connection.principal
    const machine = this.#machines.get(sessionId)
    if (machine === undefined) return
    machine.connection = connection
    this.#away.delete(sessionId)
    for (const client of [...machine.clients.values()]) if (client.isRevoked) client.revoked()
  }

  /** A machine's connection has ended. Its clients are remembered until it is back. */
  ended(connection: ReadyConnection): void {
    const { sessionId } = connection.principal
    const machine = this.#machines.get(sessionId)
    if (machine?.connection !== connection) return
    machine.connection = undefined
    this.#away.add(sessionId)
    const [oldest] = this.#away
    if (this.#away.size > MAX_AWAY && oldest !== undefined) this.#forget(oldest)
  }

  #forget(sessionId: string): void {
    const clients = this.#machines.get(sessionId)?.clients.values() ?? []
    for (const client of [...clients]) client.forget()
    this.#machines.delete(sessionId)
    this.#away.delete(sessionId)
  }
}

/** The login of callers that used a machine; open until it is revoked or forgotten. */
class MachineClient {
  isRevoked = false
  readonly login: ClientLogin
  readonly #name: string
  readonly #machine: Machine

  constructor(name: string, login: ClientLogin, machine: Machine) {
    this.login = login
    this.#name = name
    this.#machine = machine
  }

  revoked(): void {
    this.isRevoked = true
    const { connection, clients } = this.#machine
    if (connection === undefined) return
    connection.send(encode({ type: 'revoke', client: this.#name }))
    if (clients.get(this.#name) === this) clients.delete(this.#name)
  }

  close(): void {
    this.login.close(this)
  }

  forget(): void {
    this.#machine.clients.delete(this.#name)
    this.close()
  }
}
