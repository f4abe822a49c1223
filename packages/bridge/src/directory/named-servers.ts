import { createHash } from 'node:crypto'
import type { CatalogServer } from '@bridgekeeper/protocol'
import type { Catalog } from '../connection/catalog-parts.ts'
import type { Principal } from '../ports.ts'

/** A machine, connected or asleep. */
export interface NamedMachine {
  readonly principal: Pick<Principal, 'sessionId'>
  /** Name that its user gave it, if it is enrolled. */
  readonly machineName: string | undefined
  readonly catalog: Catalog | undefined
}

export interface NamedServer<Machine> {
  readonly machine: Machine
  /** Name of the server on its machine. */
  readonly localName: string
  /** Its name is the one that callers use. */
  readonly server: CatalogServer
}

/** The local servers of several machines. */
export interface NamedServers<Machine> {
  /** For lists. The name of each entry is its key. */
  readonly catalog: Catalog
  readonly listed: readonly NamedServer<Machine>[]
  /** Finds a server by its listed name, or by the name of server and machine. */
  find(name: string): NamedServer<Machine> | undefined
}

const LABEL_CHARS = 24
const HASH_CHARS = 6

/**
 * Names the local servers of several machines (ADR 0020). [AGG.3] A name belongs to the newest machine that has the
 * server ready, or else to the newest that has it. Another machine's server of that name is listed as
 * `server-machine`, and always found as that.
 *
 * @param machines the newest first
 */
export function namedServers<Machine extends NamedMachine>(
  machines: readonly Machine[],
): NamedServers<Machine> {
  const plain = new Map<string, NamedServer<Machine>>()
  for (const each of everyServer(machines))
    if (plain.get(each.localName)?.server.state !== 'ready') plain.set(each.localName, each)

  const qualified = new Map<string, NamedServer<Machine>>()
  for (const { machine, localName, server } of everyServer(machines)) {
    const name = qualifiedName(localName, machine, (taken) => plain.has(taken) || qualified.has(taken))
    qualified.set(name, { machine, localName, server: renamed(server, name) })
  }

  const others = [...qualified.values()].filter((one) => plain.get(one.localName)?.machine !== one.machine)
  const listed = [...plain.values(), ...others]
  return {
    catalog: new Map(listed.map(({ server }) => [server.name, server])),
    listed,
    find: (name) => plain.get(name) ?? qualified.get(name),
  }
}

function everyServer<Machine extends NamedMachine>(
  machines: readonly Machine[],
): readonly NamedServer<Machine>[] {
  return machines.flatMap((machine) =>
    [...(machine.catalog ?? [])].map(([localName, server]) => ({ machine, localName, server })),
  )
}

function qualifiedName(
  localName: string,
  { principal, machineName = '' }: NamedMachine,
  isTaken: (name: string) => boolean,
): string {
  const label = labelOf(machineName)
  const hash = createHash('sha256').update(principal.sessionId).digest('hex').slice(0, HASH_CHARS)
  const name = `${localName}-${label || hash}`
  return isTaken(name) ? `${name}-${hash}` : name
}

/** The name of a machine as a part of a tool's name. */
function labelOf(name: string): string {
  const words = name.toLowerCase().match(/[a-z0-9]+/g) ?? []
  return words.join('-').slice(0, LABEL_CHARS)
}

const renamedServers = new WeakMap<CatalogServer, CatalogServer>()

/** Memoized, so that what is derived from a server is derived once. */
function renamed(server: CatalogServer, name: string): CatalogServer {
  const known = renamedServers.get(server)
  const result = known?.name === name ? known : { ...server, name }
  renamedServers.set(server, result)
  return result
}

/** Names machines, and remembers the names until one of their catalogs changes. */
export class ServerNames<Machine extends NamedMachine> {
  readonly #known = new WeakMap<Machine, readonly [readonly (Catalog | undefined)[], NamedServers<Machine>]>()

  /** @param machines the newest first */
  of(machines: readonly Machine[]): NamedServers<Machine> {
    const [newest] = machines
    const [catalogs, known] = (newest && this.#known.get(newest)) ?? []
    const isSame =
      catalogs?.length === machines.length && machines.every(({ catalog }, at) => catalog === catalogs[at])
    if (isSame && known !== undefined) return known
    const names = namedServers(machines)
    if (newest !== undefined) this.#known.set(newest, [machines.map(({ catalog }) => catalog), names])
    return names
  }
}
