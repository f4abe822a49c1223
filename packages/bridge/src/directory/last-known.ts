import { type CatalogServer, serverBytes } from '@bridgekeeper/protocol'
import { Groups } from '../collections/groups.ts'
import type { Catalog } from '../connection/catalog-parts.ts'
import type { Revocation } from '../ports/sessions.ts'
import type { Principal } from '../ports.ts'
import type { NamedMachine } from './named-servers.ts'

/** Machines remembered of one user. */
export const MAX_MACHINES = 8
/** JSON text of their catalogs. */
export const MAX_USER_BYTES = 8 * 1_048_576
/** The same, of all users of this node. */
export const MAX_BYTES = 64 * 1_048_576

/** A machine whose connection has ended. */
export type LeavingMachine = NamedMachine & { readonly principal: Principal }

/** A machine that was connected, with the local servers that it had. */
export interface SleepingMachine {
  readonly principal: Principal
  /** Name that its user gave it, if it is enrolled. */
  readonly machineName: string | undefined
  readonly leftAtMs: number
  /** Each server as it was when it was last ready. */
  readonly catalog: Catalog
}

interface Entry extends SleepingMachine {
  readonly sizeBytes: number
}

/**
 * The catalogs that machines had when they left, so that lists need no machine that is awake. In memory only, and the
 * machines that left first are forgotten first.
 */
export class LastKnown {
  /** By login session, the machine that left first at the front. */
  readonly #entries = new Map<string, Entry>()
  readonly #byUser = new Groups<Entry>()
  readonly #maxBytes: number
  #sizeBytes = 0

  constructor(maxBytes: number = MAX_BYTES) {
    this.#maxBytes = maxBytes
  }

  /** [AGG.1] Remembers the catalog of a machine. */
  left({ principal, machineName, catalog }: LeavingMachine, nowMs: number): void {
    if (catalog === undefined) return
    const earlier = this.#entries.get(principal.sessionId)
    if (earlier !== undefined) this.#forget(earlier)
    const servers = lastReady(catalog, earlier?.catalog)
    const sizeBytes = [...servers.values()].reduce((sum, server) => sum + sizeOf(server), 0)
    if (servers.size === 0 || sizeBytes > Math.min(MAX_USER_BYTES, this.#maxBytes)) return
    const entry = { principal, machineName, leftAtMs: nowMs, catalog: servers, sizeBytes }
    this.#entries.set(principal.sessionId, entry)
    this.#byUser.add(principal.userId, entry)
    this.#sizeBytes += sizeBytes
    this.#trim(principal.userId)
  }

  /** The user's machines that were connected, the latest first. A machine that came back is among them. */
  machines(userId: string): readonly SleepingMachine[] {
    return this.#byUser.get(userId)
  }

  /** [AGG.2] Forgets the machines of a user, login session or device that was revoked. */
  forget({ kind, id }: Revocation): void {
    for (const entry of this.#revoked(kind, id)) this.#forget(entry)
  }

  #revoked(kind: Revocation['kind'], id: string): readonly Entry[] {
    if (kind === 'user') return this.#byUser.get(id)
    if (kind === 'device') return [...this.#entries.values()].filter((one) => one.principal.deviceId === id)
    const entry = this.#entries.get(id)
    return entry === undefined ? [] : [entry]
  }

  #forget(entry: Entry): void {
    this.#entries.delete(entry.principal.sessionId)
    this.#byUser.remove(entry.principal.userId, entry)
    this.#sizeBytes -= entry.sizeBytes
  }

  #trim(userId: string): void {
    let userBytes = 0
    for (const [index, entry] of this.#byUser.get(userId).entries()) {
      userBytes += entry.sizeBytes
      if (index >= MAX_MACHINES || userBytes > MAX_USER_BYTES) this.#forget(entry)
    }
    for (const entry of this.#entries.values()) {
      if (this.#sizeBytes <= this.#maxBytes) return
      this.#forget(entry)
    }
  }
}

/** A server that was starting again or had failed keeps what it offered before. */
function lastReady(catalog: Catalog, earlier: Catalog | undefined): Catalog {
  const servers = new Map<string, CatalogServer>()
  for (const [name, server] of catalog) {
    const known = server.state === 'ready' ? server : earlier?.get(name)
    if (known !== undefined) servers.set(name, known)
  }
  return servers
}

const sizes = new WeakMap<CatalogServer, number>()

/** Memoized: a machine leaves often, and its catalog rarely changes. */
function sizeOf(server: CatalogServer): number {
  const known = sizes.get(server) ?? serverBytes(server)
  sizes.set(server, known)
  return known
}
