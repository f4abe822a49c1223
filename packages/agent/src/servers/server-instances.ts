import type { Era } from '@bridgekeeper/protocol'
import type { System } from '../system.ts'
import type { Instance, InstanceFault, InstanceKey, Instances, Lease, LeaseOptions } from './instance.ts'
import type { InstanceStarter } from './instance-starter.ts'
import { InstanceTable, keyText } from './instance-table.ts'
import { LeasePool } from './lease-pool.ts'
import type { ProcessInstance } from './process-instance.ts'

export interface InstancesDeps {
  readonly system: System
  readonly starter: InstanceStarter
  /** The first process. Waits while it starts. */
  readonly first: () => Promise<ProcessInstance | InstanceFault>
  /** Era that the user chose for the server. */
  readonly era?: Era | undefined
  /** Called when another era is known. */
  readonly onEras: () => void
}

const restarting: InstanceFault = { fault: 'unavailable', reason: 'Its first process has ended.' }

/** The instances of one local server: its first process, and others that start when they are needed. */
export class ServerInstances implements Instances {
  readonly #deps: InstancesDeps
  readonly #pools = new Map<string, LeasePool>()
  #table: InstanceTable
  #life = new AbortController()
  #eras: Partial<Record<Era, boolean>> = {}

  constructor(deps: InstancesDeps) {
    this.#deps = deps
    this.#table = this.#newTable()
  }

  get eras(): Readonly<Partial<Record<Era, boolean>>> {
    return this.#eras
  }

  /** The first process is ready. */
  begin({ key }: ProcessInstance): void {
    const isForced = this.#deps.era !== undefined
    if (key.era === '2026') this.#eras = { 2025: false, 2026: true }
    else this.#eras = { 2025: true, ...(isForced && { 2026: false }) }
  }

  /** The first process has ended: ends the others, and forgets what is known. */
  reset(): void {
    this.#life.abort()
    this.#life = new AbortController()
    for (const pool of this.#pools.values()) pool.refuseAll(restarting)
    this.#pools.clear()
    this.#table = this.#newTable()
    this.#eras = {}
  }

  /** Resolves when all processes but the first are gone. */
  async stop(): Promise<void> {
    this.reset()
    await this.#deps.starter.ended()
  }

  async shared(wanted: InstanceKey, client = ''): Promise<Instance | InstanceFault> {
    const first = await this.#deps.first()
    if ('fault' in first) return first
    const key = normal(wanted)
    if (keyText(key) === keyText(first.key)) return first
    if (this.#eras[key.era] === false) return otherEra
    const running = this.#table.of(key)
    const pool = this.#pools.get(keyText(key))
    const instance = running.find((each) => pool?.isTaken(each) !== true) ?? running[0]
    const found = instance ?? (await (this.#table.startsOf(key)[0] ?? this.#start(key, client)))
    if (!('fault' in found)) this.#table.given(found, client)
    return found
  }

  async lease(wanted: InstanceKey, owner: object, options: LeaseOptions): Promise<Lease | InstanceFault> {
    const key = normal(wanted)
    if (!mayAsk(key)) return this.#unleased(key, options.client)
    const first = await this.#deps.first()
    if ('fault' in first) return first
    if (this.#eras[key.era] === false) return otherEra
    return this.#poolOf(key).lease(owner, options)
  }

  ownerOf(instance: Instance): object | undefined {
    return this.#pools.get(keyText(instance.key))?.ownerOf(instance as ProcessInstance)
  }

  async #unleased(key: InstanceKey, client: string | undefined): Promise<Lease | InstanceFault> {
    const instance = await this.shared(key, client)
    if ('fault' in instance) return instance
    return { instance, isExclusive: false, release: instance.hold(), park: () => {} }
  }

  async #start(key: InstanceKey, client: string): Promise<ProcessInstance | InstanceFault> {
    const started = await this.#table.start(key, client)
    this.#serve()
    return started
  }

  #newTable(): InstanceTable {
    const { signal } = this.#life
    return new InstanceTable({
      system: this.#deps.system,
      start: (key) => this.#startProcess(key, signal),
      onRoom: () => this.#serve(),
    })
  }

  async #startProcess(key: InstanceKey, signal: AbortSignal): Promise<ProcessInstance | InstanceFault> {
    const first = await this.#deps.first()
    if ('fault' in first) return first
    const started = await this.#deps.starter.start(key, first.version, signal)
    const speaks = !('fault' in started)
    if (!signal.aborted && (speaks || started.fault === 'era')) this.#learn(key.era, speaks)
    if (speaks) started.onAsk = () => this.#pools.get(keyText(key))?.asked()
    return started
  }

  #learn(era: Era, speaks: boolean): void {
    if (this.#eras[era] === speaks) return
    this.#eras = { ...this.#eras, [era]: speaks }
    this.#deps.onEras()
  }

  #poolOf(key: InstanceKey): LeasePool {
    const text = keyText(key)
    const pool = this.#pools.get(text) ?? new LeasePool(key, this.#table)
    this.#pools.set(text, pool)
    return pool
  }

  #serve(): void {
    for (const pool of this.#pools.values()) pool.serve()
  }
}

const otherEra: InstanceFault = { fault: 'era' }

/** Servers of the 2026 era get capabilities with each request, so their instances do not differ. */
function normal({ era, traits }: InstanceKey): InstanceKey {
  return { era, traits: era === '2026' ? [] : traits.toSorted() }
}

function mayAsk({ traits }: InstanceKey): boolean {
  return traits.some((trait) => trait !== 'roots' && trait !== 'tasks')
}
