import { oldestOfMost } from '../fair-share.ts'
import type { System } from '../system.ts'
import type { InstanceFault, InstanceKey } from './instance.ts'
import type { ProcessInstance } from './process-instance.ts'

/** Limit of processes of one local server, with its first one and without parked ones. */
export const MAX_INSTANCES = 8
/** Limit of parked processes of one local server. */
export const MAX_PARKED = 16
/** A process that nobody used for so long is ended. */
export const IDLE_MS = 300_000

export interface TableDeps {
  readonly system: System
  readonly start: (key: InstanceKey) => Promise<ProcessInstance | InstanceFault>
  /** Called when a process is unused or gone, so that another one may be used or started. */
  readonly onRoom: () => void
}

const full: InstanceFault = {
  fault: 'unavailable',
  reason: `All its ${MAX_INSTANCES} processes are in use.`,
}

/** The further processes of one local server. Ends those that are idle. */
export class InstanceTable {
  readonly #deps: TableDeps
  /** The unused ones in the order in which they became unused. */
  readonly #running = new Map<ProcessInstance, { readonly key: string; cancelIdle: () => void }>()
  /** Clients that got each used process. The process that was given out longest ago is the first. */
  readonly #clients = new Map<ProcessInstance, Set<string>>()
  /** Starts by key, each with the client that needs it. */
  readonly #starting = new Map<string, Map<Promise<ProcessInstance | InstanceFault>, string>>()
  /** In the order in which they were parked, each with the client that waits. */
  readonly #parked = new Map<
    ProcessInstance,
    { readonly client: string; readonly instance: ProcessInstance }
  >()

  constructor(deps: TableDeps) {
    this.#deps = deps
  }

  /** The processes of a key that are not parked. */
  of(key: InstanceKey): readonly ProcessInstance[] {
    const text = keyText(key)
    return [...this.#running].flatMap(([instance, { key }]) =>
      key === text && !this.#parked.has(instance) ? [instance] : [],
    )
  }

  has(instance: ProcessInstance): boolean {
    return this.#running.has(instance)
  }

  /** The starts of a key that have not ended yet. */
  startsOf(key: InstanceKey): readonly Promise<ProcessInstance | InstanceFault>[] {
    return [...(this.#starting.get(keyText(key))?.keys() ?? [])]
  }

  /** A client gets a process. */
  given(instance: ProcessInstance, client: string): void {
    if (!this.#running.has(instance)) return
    const clients = this.#clients.get(instance) ?? new Set()
    this.#clients.delete(instance)
    this.#clients.set(instance, clients.add(client))
  }

  /** Whether another process may start for this client, perhaps in the place of one. */
  hasRoomFor(client: string): boolean {
    return this.#count < MAX_INSTANCES || this.#dispensable(client) !== undefined
  }

  /** Starts a process, if there is room. It may take the place of one that is dispensable. */
  start(key: InstanceKey, client: string): Promise<ProcessInstance | InstanceFault> {
    if (!this.hasRoomFor(client)) return Promise.resolve(full)
    const evicted = this.#count < MAX_INSTANCES ? undefined : this.#dispensable(client)
    if (evicted !== undefined) this.#remove(evicted)
    const text = keyText(key)
    const starts = this.#starting.get(text) ?? new Map()
    const start = this.#startAfter(evicted?.close(), key)
    this.#starting.set(text, starts.set(start, client))
    void start.then((started) => {
      starts.delete(start)
      if (!('fault' in started)) this.#add(text, started)
    })
    return start
  }

  /** Whether a process may be parked without the end of another. */
  get hasParkingRoom(): boolean {
    return this.#parked.size < MAX_PARKED
  }

  /** Stops counting a process until {@link unpark}. Of too many, the client with most loses its oldest. */
  park(instance: ProcessInstance, client: string): void {
    if (!this.#running.has(instance)) return
    this.#parked.set(instance, { client, instance })
    const excess = this.#parked.size > MAX_PARKED ? oldestOfMost(this.#parked.values()) : undefined
    if (excess !== undefined) this.end(excess.instance)
  }

  /** @param hasRoom whether its pool has room; otherwise the process is ended */
  unpark(instance: ProcessInstance, hasRoom: boolean): void {
    if (!this.#parked.delete(instance)) return
    if (!hasRoom || this.#count > MAX_INSTANCES) this.end(instance)
  }

  end(instance: ProcessInstance): void {
    this.#remove(instance)
    void instance.close()
  }

  /** The first process counts too. */
  get #count(): number {
    return 1 + this.#running.size - this.#parked.size + this.#startingFor.length
  }

  /** The client of each start. */
  get #startingFor(): readonly string[] {
    return [...this.#starting.values()].flatMap((starts) => [...starts.values()])
  }

  /** The process that is unused for longest, or one that another client has in excess. */
  #dispensable(client: string): ProcessInstance | undefined {
    return [...this.#running.keys()].find((instance) => !instance.isUsed) ?? this.#surplus(client)
  }

  /**
   * [INST.16] Of the processes of the client that has most for itself, the one that was given out longest ago. So no
   * client, with however many sets of capabilities, keeps all processes from another.
   * @param client has at least two fewer
   */
  #surplus(client: string): ProcessInstance | undefined {
    const own = new Map<string, ProcessInstance[]>()
    for (const [instance, clients] of this.#clients) {
      const [only = ''] = clients
      if (clients.size === 1 && !this.#parked.has(instance))
        own.set(only, [...(own.get(only) ?? []), instance])
    }
    const [most = []] = [...own.values()].toSorted((one, other) => other.length - one.length)
    const starting = this.#startingFor.filter((each) => each === client).length
    return most.length >= (own.get(client)?.length ?? 0) + starting + 2 ? most[0] : undefined
  }

  async #startAfter(
    evicted: Promise<void> | undefined,
    key: InstanceKey,
  ): Promise<ProcessInstance | InstanceFault> {
    await evicted
    return this.#deps.start(key)
  }

  #add(key: string, instance: ProcessInstance): void {
    this.#running.set(instance, { key, cancelIdle: () => {} })
    instance.onUnused = () => this.#unusedNow(key, instance)
    this.#unusedNow(key, instance)
    void instance.ended.then(() => {
      this.#remove(instance)
      this.#deps.onRoom()
    })
  }

  #unusedNow(key: string, instance: ProcessInstance): void {
    const known = this.#running.get(instance)
    if (known === undefined) return
    known.cancelIdle()
    this.#running.delete(instance)
    this.#clients.delete(instance)
    const cancelIdle = this.#deps.system.schedule(IDLE_MS, () => {
      if (!instance.isUsed) this.end(instance)
    })
    this.#running.set(instance, { key, cancelIdle })
    this.#deps.onRoom()
  }

  #remove(instance: ProcessInstance): void {
    this.#running.get(instance)?.cancelIdle()
    this.#running.delete(instance)
    this.#clients.delete(instance)
    this.#parked.delete(instance)
  }
}

/** The same for the same capabilities in any order. */
export function keyText({ era, traits }: InstanceKey): string {
  return [era, ...traits.toSorted()].join(' ')
}
