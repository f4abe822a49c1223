import { encode } from '@bridgekeeper/protocol'
import { FairSet } from '../collections/fair-set.ts'
import type { ReadyConnection } from '../connection/ready-connection.ts'
import type { Revocation } from '../ports/sessions.ts'
import type { Client, ClientLogin } from './exchange.ts'

/** Logins that are remembered of one machine; those used longest ago are forgotten. */
export const MAX_CLIENTS = 1_024
/** Machines without a connection that are remembered; the user with most loses the one that left first. */
export const MAX_AWAY = 1_024
/** Ended sessions that are remembered of one machine until it connects again; the client with most loses the oldest. */
export const MAX_ENDED = 256

/** A machine, by its own login session, with the clients that used it. */
interface Machine {
  connection: ReadyConnection | undefined
  /** Sessions that ended since it last connected, by the name of their client. */
  ended: FairSet
  /** By name, the one used longest ago first. */
  readonly clients: Map<string, MachineClient>
}

/** The login of callers that used a machine. */
interface MachineClient {
  readonly name: string
  readonly login: ClientLogin
  readonly machine: Machine
  isRevoked: boolean
}

/**
 * [EXCH.12] The logins that used each machine. What a machine runs for an MCP session outlives its callers, so the
 * machine learns when their login is revoked, or a session ends; one that is away, when it is back.
 */
export class MachineClients {
  /** By login session. */
  readonly #machines = new Map<string, Machine>()
  /** Login sessions of machines without a connection, by user. */
  readonly #away = new FairSet(MAX_AWAY)
  /** By everything whose revocation ends their logins. */
  readonly #byRevocation = new Map<string, Set<MachineClient>>()

  /** A caller of this login uses the machine. */
  used({ name, login }: Client, connection: ReadyConnection): void {
    if (login === undefined || login.isRevoked) return
    const { sessionId } = connection.principal
    const machine = this.#machines.get(sessionId) ?? newMachine(connection)
    this.#machines.set(sessionId, machine)
    const client = machine.clients.get(name) ?? this.#add({ name, login, machine, isRevoked: false })
    machine.clients.delete(name)
    machine.clients.set(name, client)
    const [oldest] = machine.clients.values()
    if (machine.clients.size > MAX_CLIENTS && oldest !== undefined) this.#forget(oldest)
  }

  /** A user, login session or device was revoked. Notifies the machines that its logins used. */
  revoked(revocation: Revocation): void {
    for (const client of this.#byRevocation.get(keyOf(revocation)) ?? []) {
      client.isRevoked = true
      sendRevoke(client)
    }
  }

  /** [SESS.9] A client ended its session. Notifies the machines that the client used. */
  sessionEnded({ name, login }: Client, id: string): void {
    if (login === undefined) return
    for (const client of this.#byRevocation.get(keyOf({ kind: 'session', id: login.sessionId })) ?? []) {
      if (client.name !== name) continue
      const { connection, ended } = client.machine
      ended.add(name, id)
      if (connection !== undefined) sendEnd(connection, name, id)
    }
  }

  /**
   * A machine is connected. It learns of what was revoked, and which sessions ended, since it last connected: its former
   * connection may have been dead without a sign.
   */
  connected(connection: ReadyConnection): void {
    const { userId, sessionId } = connection.principal
    const machine = this.#machines.get(sessionId)
    if (machine === undefined) return
    machine.connection = connection
    this.#away.delete(userId, sessionId)
    for (const client of [...machine.clients.values()].filter(({ isRevoked }) => isRevoked)) {
      sendRevoke(client)
      this.#forget(client)
    }
    for (const [name, ids] of machine.ended.entries()) for (const id of ids) sendEnd(connection, name, id)
    machine.ended = new FairSet(MAX_ENDED)
  }

  /** A machine's connection has ended. Its clients are remembered until it is back. */
  ended(connection: ReadyConnection): void {
    const { userId, sessionId } = connection.principal
    const machine = this.#machines.get(sessionId)
    if (machine?.connection !== connection) return
    machine.connection = undefined
    const forgotten = this.#away.add(userId, sessionId)
    if (forgotten !== undefined) this.#forgetMachine(forgotten)
  }

  #add(client: MachineClient): MachineClient {
    for (const key of keysOf(client.login)) {
      const clients = this.#byRevocation.get(key) ?? new Set()
      this.#byRevocation.set(key, clients.add(client))
    }
    return client
  }

  #forget(client: MachineClient): void {
    client.machine.clients.delete(client.name)
    for (const key of keysOf(client.login)) {
      const clients = this.#byRevocation.get(key)
      clients?.delete(client)
      if (clients?.size === 0) this.#byRevocation.delete(key)
    }
  }

  #forgetMachine(sessionId: string): void {
    const clients = this.#machines.get(sessionId)?.clients.values() ?? []
    for (const client of [...clients]) this.#forget(client)
    this.#machines.delete(sessionId)
  }
}

function newMachine(connection: ReadyConnection): Machine {
  return { connection, ended: new FairSet(MAX_ENDED), clients: new Map() }
}

function sendRevoke({ name, machine }: MachineClient): void {
  machine.connection?.send(encode({ type: 'revoke', client: name }))
}

function sendEnd(connection: ReadyConnection, client: string, session: string): void {
  connection.send(encode({ type: 'end_session', client, session }))
}

/** The revocations that end a login. */
function keysOf({ userId, sessionId, deviceId }: ClientLogin): string[] {
  const keys = [keyOf({ kind: 'user', id: userId }), keyOf({ kind: 'session', id: sessionId })]
  return deviceId === undefined ? keys : [...keys, keyOf({ kind: 'device', id: deviceId })]
}

function keyOf({ kind, id }: Revocation): string {
  return `${kind} ${id}`
}
