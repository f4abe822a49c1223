import type { ExchangeKind } from '@bridgekeeper/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ExchangeFrame } from '../../src/connection/life.ts'
import type { OpenExchange } from '../../src/exchanges/exchange.ts'
import { MAX_OPEN_STREAMS } from '../../src/exchanges/exchange-table.ts'
import {
  ANSWER,
  ExchangeWorld,
  NotedReader,
  PROGRESS,
  REQUEST,
  SESSION,
  TABLE_LIMITS,
} from '../support/exchange-world.ts'
import { FakeConnection } from '../support/fake-connection.ts'

const { callTimeoutMs, maxCallMs, maxPendingCalls } = TABLE_LIMITS
const CONNECTIONS = 3

/** An exchange as the model expects it. */
interface Expected {
  readonly connection: number
  readonly kind: ExchangeKind
  readonly hasSession: boolean
  readonly openedAtMs: number
  readonly exchange: OpenExchange
  readonly reader: NotedReader
  readonly seen: string[]
  isOpen: boolean
  isAccepted: boolean
  lastNumber: number
  dueAtMs: number
}

const nth = fc.nat(20)
const from = fc.nat(CONNECTIONS - 1)
const number = fc.option(fc.nat(6), { nil: undefined })
const event = fc.oneof(
  fc.record({
    do: fc.constant('open' as const),
    connection: from,
    kind: fc.constantFrom<ExchangeKind>('request', 'request', 'note', 'stream', 'delete'),
    hasSession: fc.boolean(),
  }),
  fc.record({ do: fc.constant('accepted' as const), nth, from }),
  fc.record({ do: fc.constant('message' as const), nth, from, number }),
  fc.record({ do: fc.constant('end' as const), nth, from, number }),
  fc.record({ do: fc.constantFrom('cancel' as const, 'detach' as const, 'done' as const), nth }),
  fc.record({ do: fc.constant('cut' as const), connection: from }),
  fc.record({ do: fc.constant('pass' as const), timeMs: fc.constantFrom(1, 4_000, callTimeoutMs) }),
)
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never

/** Runs events on the table and on a model of it. */
class Both {
  readonly world = new ExchangeWorld()
  readonly connections = Array.from({ length: CONNECTIONS }, (_, n) => new FakeConnection('ann', `s${n}`))
  readonly all: Expected[] = []

  run(what: Event): void {
    switch (what.do) {
      case 'open':
        return this.open(what)
      case 'accepted':
      case 'message':
      case 'end':
        return this.receive(what)
      case 'cut':
        this.world.table.cut(this.#connection(what.connection))
        for (const one of this.#of(what.connection))
          this.end(one, one.hasSession ? 'cut' : 'failed', 'outcome_unknown')
        return
      case 'pass':
        return this.pass(what.timeMs)
      default:
        return this.leave(what)
    }
  }

  open({ connection, kind, hasSession }: Extract<Event, { do: 'open' }>): void {
    const reader = new NotedReader()
    const session = hasSession ? SESSION : undefined
    const opening = { ...REQUEST, kind, session }
    const exchange = this.world.table.open(this.#connection(connection), opening, 'client', reader)
    const same = this.#of(connection).filter((other) => (other.kind === 'request') === (kind === 'request'))
    if (same.length >= (kind === 'request' ? maxPendingCalls : MAX_OPEN_STREAMS)) {
      expect([exchange.id, reader.seen]).toEqual([undefined, ['failed too_many_calls']])
      return
    }
    const openedAtMs = this.world.system.monotonicMs()
    const dueAtMs = kind === 'stream' ? Number.POSITIVE_INFINITY : openedAtMs + callTimeoutMs
    const state = { isOpen: true, isAccepted: false, lastNumber: 0, dueAtMs }
    this.all.push({ connection, kind, hasSession, openedAtMs, exchange, reader, seen: [], ...state })
  }

  receive(what: Extract<Event, { do: 'accepted' | 'message' | 'end' }>): void {
    const one = this.#pick(what.nth)
    const id = one?.exchange.id ?? 'unknown'
    const payload = { number: 'number' in what ? what.number : undefined }
    const frames: Record<typeof what.do, ExchangeFrame> = {
      accepted: { type: 'accepted', id },
      message: { type: 'message', id, message: PROGRESS, ...payload },
      end: { type: 'end', id, status: 200, message: ANSWER, ...payload },
    }
    this.world.table.received(this.#connection(what.from), frames[what.do])
    if (one === undefined || !one.isOpen || one.connection !== what.from) return
    const rises = payload.number === undefined || payload.number > one.lastNumber
    if (what.do === 'end')
      return rises
        ? this.end(one, '200', `${ANSWER} ${payload.number ?? '-'}`)
        : this.end(one, 'failed', 'result_invalid')
    if (what.do === 'message' ? !one.isAccepted || !rises : one.isAccepted) return
    one.isAccepted = true
    one.lastNumber = payload.number ?? one.lastNumber
    if (one.kind !== 'stream')
      one.dueAtMs = Math.min(this.world.system.monotonicMs() + callTimeoutMs, one.openedAtMs + maxCallMs)
    one.seen.push(what.do === 'accepted' ? 'accepted' : `${PROGRESS} ${payload.number ?? '-'}`)
  }

  leave({ do: what, nth: index }: Extract<Event, { do: 'cancel' | 'detach' | 'done' }>): void {
    const one = this.#pick(index)
    if (one === undefined) return
    one.exchange[what]()
    if (what === 'cancel' && one.isOpen) this.end(one, 'failed', 'call_cancelled')
    if (what === 'detach') one.isOpen = false
  }

  pass(timeMs: number): void {
    this.world.system.advance(timeMs)
    for (const one of this.all)
      if (one.isOpen && one.dueAtMs <= this.world.system.monotonicMs())
        this.end(one, 'failed', 'call_timeout')
  }

  end(one: Expected, ...words: string[]): void {
    one.isOpen = false
    one.seen.push(words.join(' '))
  }

  check(): void {
    for (const { reader, seen } of this.all) expect(reader.seen).toEqual(seen)
    const open = this.all.filter(({ isOpen }) => isOpen)
    expect(this.world.table.size).toBe(open.length)
    expect(this.world.inFlight.count).toBe(open.filter(({ kind }) => kind === 'request').length)
  }

  #connection(index: number): FakeConnection {
    const connection = this.connections[index]
    if (connection === undefined) throw new Error('There is no such connection.')
    return connection
  }

  #of(connection: number): Expected[] {
    return this.all.filter((one) => one.isOpen && one.connection === connection)
  }

  #pick(index: number): Expected | undefined {
    return this.all[index % Math.max(1, this.all.length)]
  }
}

test('[EXCH.2] [EXCH.3] [EXCH.5] [EXCH.6] [EXCH.9] matches the model for any order of events over several connections', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const both = new Both()
      for (const each of events) {
        both.run(each)
        both.check()
      }
      for (const connection of both.connections) both.world.table.cut(connection)
      expect([both.world.table.size, both.world.system.armed]).toEqual([0, 0])
    }),
    { numRuns: 400 },
  )
})
