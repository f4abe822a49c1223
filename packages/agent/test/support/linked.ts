import type { CatalogServer, ErrorCode, OutgoingFrame } from '@bridgekeeper/protocol'
import { onTestFinished } from 'vitest'
import { showOnFailure } from '../../../../test/support/last-seen.ts'
import type { LinkEvent } from '../../src/events.ts'
import type { ExchangeFrame, Exchanges } from '../../src/exchanges/exchanges.ts'
import { Link, type LinkOptions } from '../../src/link/link.ts'
import type { LocalCall, LocalOutcome, LocalTools } from '../../src/local-tools.ts'
import { FakeSystem } from './fake-system.ts'
import { until } from './until.ts'

/** Events that are shown when a test fails. */
const SHOWN_EVENTS = 10

/** A token of `user` and `session` with an unchecked signature. */
export function tokenOf(
  claims: Record<string, unknown> = { sub: 'user', sid: 'session' },
  signature = 'signature',
): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'HS256' })}.${part(claims)}.${signature}`
}

/** Local servers that the test answers for. */
export class FakeTools implements LocalTools {
  servers: CatalogServer[] = [{ state: 'starting', name: 'server' }]
  readonly calls: LocalCall[] = []
  answer: (call: LocalCall) => LocalOutcome | Promise<LocalOutcome> = () => ({
    ok: true,
    result: Buffer.from('{}'),
  })

  catalog(): readonly CatalogServer[] {
    return this.servers
  }

  async call(call: LocalCall): Promise<LocalOutcome> {
    this.calls.push(call)
    return this.answer(call)
  }
}

/** Records what the link hands over. */
export class RecordedExchanges implements Exchanges {
  readonly frames: ExchangeFrame[] = []
  readonly refused: string[] = []
  send: ((frame: OutgoingFrame) => boolean) | undefined
  isFlooding: (id: string) => boolean = () => false

  connected(send: (frame: OutgoingFrame) => boolean, isFlooding: (id: string) => boolean): void {
    this.send = send
    this.isFlooding = isFlooding
  }

  refuse(id: string, code: ErrorCode): void {
    this.refused.push(`${id} ${code}`)
  }

  receive(frame: ExchangeFrame): void {
    this.frames.push(frame)
  }

  disconnected(): void {
    this.send = undefined
  }
}

export interface Linked {
  readonly link: Link
  readonly system: FakeSystem
  readonly tools: FakeTools
  readonly exchanges: RecordedExchanges
  readonly events: readonly LinkEvent[]
  /** Aborted by `stop`. */
  readonly signal: AbortSignal
  /** Result of `run`. */
  readonly ended: Promise<unknown>
  stop(): void
  event<T extends LinkEvent['type']>(type: T, n?: number): Promise<Extract<LinkEvent, { type: T }>>
}

/** Runs a link with a separate clock until the test has finished. */
export function runLink(url: string, options: Partial<LinkOptions> = {}): Linked {
  const events: LinkEvent[] = []
  showOnFailure('the link', () =>
    events
      .slice(-SHOWN_EVENTS)
      .map((event) => JSON.stringify(event))
      .join('\n'),
  )
  const system = new FakeSystem()
  const tools = new FakeTools()
  const exchanges = new RecordedExchanges()
  const stop = new AbortController()
  const link = new Link({
    url,
    token: () => tokenOf(),
    claims: {},
    system,
    tools,
    exchanges,
    onEvent: (event) => events.push(event),
    ...options,
  })
  const ended = link.run(stop.signal).then(
    () => 'resolved',
    (error: unknown) => error,
  )
  onTestFinished(async () => {
    let isOver = false
    void ended.then(() => {
      isOver = true
    })
    stop.abort()
    await until(async () => {
      await system.advance(1_000)
      return isOver
    })
  })
  return {
    ...{ link, system, tools, exchanges, events, ended, signal: stop.signal },
    stop: () => stop.abort(),
    event: (type, n = 1) =>
      until(
        () => {
          const found = events.filter((event) => event.type === type)[n - 1]
          return found as Extract<LinkEvent, { type: typeof type }> | undefined
        },
        undefined,
        `event ${n} of type ${type}`,
      ),
  }
}
