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
  readonly #starting = new Map<string, Set<Promise<ProcessInstance | InstanceFault>>>()
  /** In the order in which they were parked. */
  readonly #parked = new Set<ProcessInstance>()

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
    return [...(this.#starting.get(keyText(key)) ?? [])]
  }

  /** Whether another process may start, perhaps in the place of an unused one. */
  get hasRoom(): boolean {
    return this.#count < MAX_INSTANCES || this.#unused() !== undefined
  }

  /** Starts a process, if there is room. It may take the place of the one that is unused for longest. */
  start(key: InstanceKey): Promise<ProcessInstance | InstanceFault> {
    if (!this.hasRoom) return Promise.resolve(full)
    const evicted = this.#count < MAX_INSTANCES ? undefined : this.#unused()
    if (evicted !== undefined) this.#remove(evicted)
    const text = keyText(key)
    const starts = this.#starting.get(text) ?? new Set()
    const start = this.#startAfter(evicted?.close(), key)
    this.#starting.set(text, starts.add(start))
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

  /** Stops counting a process until {@link unpark}. Ends the oldest of too many. */
  park(instance: ProcessInstance): void {
    if (!this.#running.has(instance)) return
    this.#parked.add(instance)
    const [oldest] = this.#parked
    if (this.#parked.size > MAX_PARKED && oldest !== undefined) this.end(oldest)
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
    const starting = [...this.#starting.values()].reduce((sum, starts) => sum + starts.size, 0)
    return 1 + this.#running.size - this.#parked.size + starting
  }

  #unused(): ProcessInstance | undefined {
    return [...this.#running.keys()].find((instance) => !instance.isUsed)
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
    const cancelIdle = this.#deps.system.schedule(IDLE_MS, () => {
      if (!instance.isUsed) this.end(instance)
    })
    this.#running.set(instance, { key, cancelIdle })
    this.#deps.onRoom()
  }

  #remove(instance: ProcessInstance): void {
    this.#running.get(instance)?.cancelIdle()
    this.#running.delete(instance)
    this.#parked.delete(instance)
  }
}

/** The same for the same capabilities in any order. */
export function keyText({ era, traits }: InstanceKey): string {
  return [era, ...traits.toSorted()].join(' ')
}
