import type { Era, Json, RawJson } from '@bridgekeeper/protocol'
import type { ExchangeServer, RootsPolicy } from '../../src/exchanges/server-port.ts'
import type {
  Instance,
  InstanceFault,
  InstanceKey,
  Instances,
  Lease,
  ServerMessage,
} from '../../src/servers/instance.ts'
import type { RawOutcome } from '../../src/servers/raw-calls.ts'

type Members = Record<string, unknown>

/** A request that a fake process received, and waits to be answered. */
export interface Received {
  readonly id: number
  readonly method: string
  readonly params: Members | undefined
  readonly raw: RawJson | undefined
  readonly signal: AbortSignal
  answer(result: object): void
  settle(outcome: RawOutcome): void
}

/** Answers of a fake process to the agent's own requests. */
const AGENT_METHODS = ['logging/setLevel', 'resources/subscribe', 'resources/unsubscribe']

/** A process of a local server that the test plays. */
export class FakeInstance implements Instance {
  readonly key: InstanceKey
  readonly version = '2025-11-25'
  readonly introduction = json({
    protocolVersion: '2025-11-25',
    capabilities: {},
    serverInfo: { name: 'fake', version: '1' },
  })
  readonly #ended = Promise.withResolvers<void>()
  readonly ended = this.#ended.promise
  onMessage: (message: ServerMessage) => void = () => {}
  readonly received: Received[] = []
  readonly notified: { method: string; params: unknown }[] = []
  readonly answered: { id: unknown; member: string; value: unknown }[] = []
  /** Requests of the agent itself, which are answered at once. */
  readonly agentRequests: { method: string; params: unknown }[] = []
  holds = 0
  owner: object | undefined
  hasShortCalls = false
  #lastId = 0
  #hasEnded = false

  constructor(key: InstanceKey) {
    this.key = key
  }

  request(
    method: string,
    params: RawJson | undefined,
    signal: AbortSignal,
    sent?: (id: number) => void,
  ): Promise<RawOutcome> {
    if (signal.aborted) return Promise.resolve({ kind: 'cancelled' })
    if (this.#hasEnded) return Promise.resolve({ kind: 'ended' })
    const parsed = params && JSON.parse(params.toString('utf8'))
    if (AGENT_METHODS.includes(method)) {
      this.agentRequests.push({ method, params: parsed })
      return Promise.resolve({ kind: 'result', result: json({}) })
    }
    const id = ++this.#lastId
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve({ kind: 'cancelled' }))
      void this.ended.then(() => resolve({ kind: 'ended' }))
      this.received.push({
        ...{ id, method, params: parsed, raw: params, signal },
        answer: (result) => resolve({ kind: 'result', result: json(result) }),
        settle: resolve,
      })
      sent?.(id)
    })
  }

  notify(method: string, params: RawJson | undefined): void {
    this.notified.push({ method, params: params && JSON.parse(params.toString('utf8')) })
  }

  answer(id: RawJson, member: 'result' | 'error', value: RawJson): void {
    this.answered.push({
      id: JSON.parse(id.toString('utf8')),
      member,
      value: JSON.parse(value.toString('utf8')),
    })
  }

  hold(): () => void {
    this.holds++
    return () => void this.holds--
  }

  end(): void {
    this.#hasEnded = true
    this.#ended.resolve()
  }

  /** Sends a notification or, with an id, a request. */
  says(method: string, params?: object, id?: unknown): void {
    const raw = json({ jsonrpc: '2.0', method, ...(id !== undefined && { id }), ...(params && { params }) })
    this.onMessage({
      ...{ method, raw },
      id: id === undefined ? undefined : json(id),
      params: params && json(params),
    })
  }
}

/** A local server of which the test plays every process. */
export class FakeServer implements ExchangeServer, Instances {
  readonly name = 'fake'
  readonly instances = this
  readonly eras: Partial<Record<Era, boolean>> = {}
  roots: RootsPolicy = { kind: 'none' }
  fault: InstanceFault | undefined
  schemas: Record<string, Json> = {}
  readonly started: FakeInstance[] = []
  readonly #shared = new Map<string, FakeInstance>()

  find(name: string): ExchangeServer | string | undefined {
    if (name === 'broken') return 'It does not start.'
    return name === this.name ? this : undefined
  }

  inputSchema(toolName: string): Json | undefined {
    return this.schemas[toolName]
  }

  hideSecrets(text: string): string {
    return text.replaceAll('secret', '***')
  }

  /** The process that everyone with this key shares. */
  instance(era: Era = '2025', ...traits: string[]): FakeInstance {
    return this.#of({ era, traits: traits as InstanceKey['traits'] })
  }

  async shared(key: InstanceKey): Promise<Instance | InstanceFault> {
    return this.fault ?? this.#of(key)
  }

  /** Leases the one process of this key, to one owner after another. */
  async lease(key: InstanceKey, owner: object): Promise<Lease | InstanceFault> {
    if (this.fault !== undefined) return this.fault
    const instance = this.#of(key)
    instance.owner = owner
    const release = () => {
      instance.owner = undefined
    }
    return { instance, isExclusive: true, release, park: () => {} }
  }

  ownerOf(instance: Instance): object | undefined {
    return (instance as FakeInstance).owner
  }

  #of(key: InstanceKey): FakeInstance {
    const name = JSON.stringify(key)
    const found = this.#shared.get(name)
    if (found !== undefined) return found
    const instance = new FakeInstance(key)
    void instance.ended.then(() => this.#shared.delete(name))
    this.#shared.set(name, instance)
    this.started.push(instance)
    return instance
  }
}

function json(value: unknown): RawJson {
  return Buffer.from(JSON.stringify(value))
}

/** The token of progress that the server was given. */
export function tokenOf(received: Received | undefined): unknown {
  const { _meta = {} } = (received?.params ?? {}) as { _meta?: Members }
  return _meta.progressToken
}
