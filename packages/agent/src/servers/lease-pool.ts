import type { InstanceFault, InstanceKey, Lease, LeaseOptions } from './instance.ts'
import type { InstanceTable } from './instance-table.ts'
import type { ProcessInstance } from './process-instance.ts'

/** Processes of one key among which its leases are shared out. */
export const POOL_SIZE = 4
/** Limit of requests that wait for a lease of one key. */
export const MAX_WAITING = 256
/** A server that asked nobody during so many leases may serve everyone from one process, until it asks. */
export const QUIET_LEASES = 32

interface Waiter {
  readonly owner: object
  readonly client: string
  readonly prefer: ProcessInstance | undefined
  readonly settle: (granted: Lease | InstanceFault) => void
}

/** The leases of one instance. */
interface Use {
  readonly isExclusive: boolean
  /** Leases of each owner. */
  readonly owners: Map<object, number>
  readonly clients: Set<string>
}

const gone: InstanceFault = { fault: 'unavailable', reason: 'The caller no longer waits for it.' }
const crowded: InstanceFault = {
  fault: 'unavailable',
  reason: `${MAX_WAITING} requests already wait for a process of it.`,
}

/**
 * Leases the instances of one key. A server cannot say whose request made it ask, so until it has been quiet for
 * long enough, each instance has one owner at a time. Others wait in the order in which they came.
 */
export class LeasePool {
  readonly #key: InstanceKey
  readonly #table: InstanceTable
  readonly #queue: Waiter[] = []
  readonly #uses = new Map<ProcessInstance, Use>()
  readonly #lastOf = new WeakMap<object, ProcessInstance>()
  #quietLeases = 0
  #mayStart = true

  constructor(key: InstanceKey, table: InstanceTable) {
    this.#key = key
    this.#table = table
  }

  lease(owner: object, { signal, prefer, client = '' }: LeaseOptions): Promise<Lease | InstanceFault> {
    if (signal.aborted) return Promise.resolve(gone)
    if (this.#queue.length >= MAX_WAITING) return Promise.resolve(crowded)
    return new Promise((resolve) => {
      const leave = () => {
        this.#queue.splice(this.#queue.indexOf(waiter), 1)
        resolve(gone)
      }
      const waiter: Waiter = {
        owner,
        client,
        prefer: (prefer as ProcessInstance | undefined) ?? this.#lastOf.get(owner),
        settle: (granted) => {
          signal.removeEventListener('abort', leave)
          resolve(granted)
        },
      }
      signal.addEventListener('abort', leave, { once: true })
      this.#queue.push(waiter)
      this.#mayStart = true
      this.serve()
    })
  }

  ownerOf(instance: ProcessInstance): object | undefined {
    const [owner, ...others] = this.#uses.get(instance)?.owners.keys() ?? []
    return others.length === 0 ? owner : undefined
  }

  /** Whether this instance has an owner whom nobody else may disturb. */
  isTaken(instance: ProcessInstance): boolean {
    return this.#uses.get(instance)?.isExclusive === true
  }

  /** Grants what can be granted now, and starts instances for the others. */
  serve(): void {
    for (const waiter of this.#waiting()) {
      const instance = this.#choose(waiter)
      if (instance === undefined) continue
      this.#queue.splice(this.#queue.indexOf(waiter), 1)
      waiter.settle(this.#grant(instance, waiter))
    }
    for (const { client } of this.#waiting().slice(this.#startsOf))
      if (this.#mayStart && this.#mayGrowFor(client)) void this.#start(client)
  }

  /** Refuses everyone who waits. */
  refuseAll(fault: InstanceFault): void {
    for (const waiter of this.#queue.splice(0)) waiter.settle(fault)
  }

  /** Those who wait, in their order, but clients without a lease first. */
  #waiting(): readonly Waiter[] {
    const having = new Set([...this.#uses.values()].flatMap(({ clients }) => [...clients]))
    return this.#queue.toSorted(
      (one, other) => Number(having.has(one.client)) - Number(having.has(other.client)),
    )
  }

  get #startsOf(): number {
    return this.#table.startsOf(this.#key).length
  }

  #mayGrowFor(client: string): boolean {
    const isFull = this.#table.of(this.#key).length + this.#startsOf >= POOL_SIZE
    return !isFull && this.#table.hasRoomFor(client)
  }

  get #isQuiet(): boolean {
    return this.#quietLeases >= QUIET_LEASES
  }

  #choose({ owner, prefer }: Waiter): ProcessInstance | undefined {
    for (const [instance, { isExclusive, owners }] of this.#uses)
      if (isExclusive && owners.has(owner) && this.#table.has(instance)) return instance
    const usable = this.#table
      .of(this.#key)
      .filter((instance) => (this.#isQuiet ? !this.isTaken(instance) : !this.#uses.has(instance)))
    return usable.find((instance) => instance === prefer) ?? usable[0]
  }

  #grant(instance: ProcessInstance, { owner, client }: Waiter): Lease {
    const fresh = { isExclusive: !this.#isQuiet, owners: new Map(), clients: new Set<string>() }
    const use: Use = this.#uses.get(instance) ?? fresh
    this.#uses.set(instance, use)
    use.clients.add(client)
    use.owners.set(owner, (use.owners.get(owner) ?? 0) + 1)
    this.#lastOf.set(owner, instance)
    this.#table.given(instance, client)
    const unhold = instance.hold()
    let isOver = false
    return {
      instance,
      isExclusive: use.isExclusive,
      park: (ifFull) => {
        if (isOver || (ifFull === 'stay' && !this.#table.hasParkingRoom)) return
        this.#table.park(instance, client)
        this.serve()
      },
      release: () => {
        if (isOver) return
        isOver = true
        this.#release(instance, use, owner)
        unhold()
        this.serve()
      },
    }
  }

  #release(instance: ProcessInstance, { owners }: Use, owner: object): void {
    this.#quietLeases++
    this.#mayStart = true
    const left = (owners.get(owner) ?? 1) - 1
    if (left > 0) owners.set(owner, left)
    else owners.delete(owner)
    if (owners.size > 0) return
    this.#uses.delete(instance)
    this.#table.unpark(instance, this.#table.of(this.#key).length < POOL_SIZE)
  }

  async #start(client: string): Promise<void> {
    const started = await this.#table.start(this.#key, client)
    if ('fault' in started) {
      // The next lease or release tries again.
      this.#mayStart = false
      if (this.#table.of(this.#key).length + this.#startsOf === 0) this.refuseAll(started)
    }
    this.serve()
  }

  /** A server asked: from now on each instance has one owner again. */
  asked(): void {
    this.#quietLeases = 0
  }
}
