import { limits, type Payload } from '@bridgekeeper/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ExchangeFrame } from '../../src/connection/life.ts'
import type { ExchangeEnd, ExchangeReader, OpenExchange } from '../../src/exchanges/exchange.ts'
import { ExchangeWorld, PROGRESS, REQUEST, SESSION, TABLE_LIMITS } from '../support/exchange-world.ts'
import { FakeConnection } from '../support/fake-connection.ts'

const { chunkBytes, windowBytes } = limits
const CONNECTIONS = 2

/** A payload as its reader sees it. */
interface Seen {
  readonly sizeBytes: number
  readonly mark: number
  gotBytes: number
  state: 'open' | 'ended' | 'cut'
}

/** Reads each payload, and uses its bytes when a test says so. */
class Reading implements ExchangeReader {
  readonly seen: (string | Seen)[] = []
  /** Bytes of chunks that were read and not used. */
  readonly unused: { readonly bytes: number; readonly use: () => void }[] = []

  accepted(): void {
    this.seen.push('accepted')
  }

  message(message: Payload): void {
    this.#read(message)
  }

  ended(end: ExchangeEnd): void {
    if (end.kind !== 'answered') this.seen.push(`${end.kind} ${end.error.code}`)
    else if (end.message !== undefined) this.#read(end.message)
  }

  #read(payload: Payload): void {
    if (Buffer.isBuffer(payload)) return void this.seen.push(payload.toString())
    const seen: Seen & { mark: number } = {
      sizeBytes: payload.sizeBytes,
      mark: 0,
      gotBytes: 0,
      state: 'open',
    }
    this.seen.push(seen)
    payload.read({
      chunk: (bytes) => {
        seen.mark = bytes[0] === bytes.at(-1) ? (bytes[0] ?? 0) : -1
        seen.gotBytes += bytes.length
        this.unused.push({ bytes: bytes.length, use: () => payload.used(bytes.length) })
      },
      end: () => {
        seen.state = 'ended'
      },
      cut: () => {
        seen.state = 'cut'
      },
    })
  }
}

/** An exchange as the model expects it. */
interface Expected {
  readonly connection: FakeConnection
  readonly hasSession: boolean
  readonly exchange: OpenExchange
  readonly reader: Reading
  readonly seen: (string | Seen)[]
  /** Whether the reader waits for the end. */
  isOpen: boolean
  isAccepted: boolean
  /** The payload that arrives. */
  arriving: { readonly seen: Seen; readonly mark: number; readonly isLast: boolean } | undefined
  /** Whether the receiver counts the bytes that the reader uses. */
  isCounted: boolean
  creditBytes: number
  usedBytes: number
}

const nth = fc.nat(3)
const sizeBytes = fc.constantFrom(1, chunkBytes + 1, windowBytes, 2 * windowBytes)
const count = fc.integer({ min: 1, max: 6 })
const bytesMove = fc.record({ do: fc.constantFrom('chunks' as const, 'use' as const), nth, count })
const open = fc.record({
  do: fc.constant('open' as const),
  at: fc.nat(CONNECTIONS - 1),
  hasSession: fc.boolean(),
})
const small = fc.record({ do: fc.constantFrom('accepted' as const, 'small' as const), nth })
const large = fc.record({ do: fc.constantFrom('large' as const, 'end' as const), nth, sizeBytes })
const leave = fc.record({ do: fc.constantFrom('cancel' as const, 'detach' as const), nth })
const cut = fc.record({ do: fc.constant('cut' as const), at: fc.nat(CONNECTIONS - 1) })
// Exchanges must live long enough to reach the end of their window.
const event = fc.oneof(
  { weight: 4, arbitrary: open },
  { weight: 4, arbitrary: small },
  { weight: 4, arbitrary: large },
  { weight: 12, arbitrary: bytesMove },
  { weight: 1, arbitrary: leave },
  { weight: 1, arbitrary: cut },
)
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never
type Of<Do extends Event['do']> = Extract<Event, { do: Do }>

/** Runs events on the table and on a model of it. */
class Both {
  readonly world = new ExchangeWorld()
  readonly connections = Array.from({ length: CONNECTIONS }, (_, at) => new FakeConnection('ann', `s${at}`))
  readonly all: Expected[] = []
  readonly granted = new Map(this.connections.map((connection) => [connection, [] as string[]]))
  #marks = 0

  run(what: Event): void {
    if (what.do === 'open') return this.#open(what)
    if (what.do === 'cut') return this.cut(this.connections[what.at] ?? expect.fail())
    const one = this.all.at(-1 - what.nth)
    if (one === undefined) return
    switch (what.do) {
      case 'accepted':
      case 'small':
        return this.#small(one, what.do)
      case 'large':
      case 'end':
        return this.#announce(one, what)
      case 'chunks':
        for (let sent = 0; sent < what.count; sent++) this.#chunk(one)
        return
      case 'use':
        for (const { bytes, use } of one.reader.unused.splice(0, what.count)) this.#use(one, bytes, use)
        return
      default:
        return this.#leave(one, what.do)
    }
  }

  cut(connection: FakeConnection): void {
    this.world.table.cut(connection)
    connection.receiver.dropAll()
    for (const one of this.all) {
      if (one.connection !== connection) continue
      if (one.isOpen) one.seen.push(`${one.hasSession ? 'cut' : 'failed'} outcome_unknown`)
      this.#over(one)
    }
  }

  check(): void {
    for (const { reader, seen } of this.all) expect(reader.seen).toEqual(seen)
    expect(this.world.table.size).toBe(this.all.filter(isHeld).length)
    for (const [connection, granted] of this.granted) expect(connection.granted).toEqual(granted)
  }

  #open({ at, hasSession }: Of<'open'>): void {
    const connection = this.connections[at] ?? expect.fail()
    const reader = new Reading()
    const session = hasSession ? SESSION : undefined
    const exchange = this.world.table.open(connection, { ...REQUEST, session }, 'client', reader)
    const held = this.all.filter((one) => one.connection === connection && isHeld(one))
    if (held.length >= TABLE_LIMITS.maxPendingCalls)
      return expect(reader.seen).toEqual(['failed too_many_calls'])
    const state = { isOpen: true, isAccepted: false, arriving: undefined, isCounted: false }
    const window = { creditBytes: windowBytes, usedBytes: 0 }
    this.all.push({ connection, hasSession, exchange, reader, seen: [], ...state, ...window })
  }

  #small(one: Expected, type: 'accepted' | 'small'): void {
    this.#receive(one, type === 'accepted' ? { type } : { type: 'message', message: PROGRESS })
    if (!one.isOpen || one.isAccepted !== (type === 'small')) return
    one.isAccepted = true
    one.seen.push(type === 'accepted' ? type : PROGRESS.toString())
  }

  #announce(one: Expected, { do: what, sizeBytes: bytes }: Of<'large' | 'end'>): void {
    const isLast = what === 'end'
    this.#receive(one, isLast ? { type: 'end', status: 200, bytes } : { type: 'message', bytes })
    if (!one.isOpen || (!isLast && (!one.isAccepted || one.arriving !== undefined))) return
    if (one.arriving !== undefined) {
      one.seen.push('failed result_invalid')
      return this.#over(one)
    }
    const seen: Seen = { sizeBytes: bytes, mark: 0, gotBytes: 0, state: 'open' }
    one.seen.push(seen)
    one.arriving = { seen, mark: (this.#marks++ % 255) + 1, isLast }
    one.isCounted = true
    one.isOpen = !isLast
  }

  /** The longest chunk that the payload and a frame allow. */
  #chunk(one: Expected): void {
    const { arriving } = one
    const leftBytes = arriving === undefined ? 1 : arriving.seen.sizeBytes - arriving.seen.gotBytes
    const bytes = Buffer.alloc(Math.min(chunkBytes, leftBytes), arriving?.mark)
    const taken = one.connection.receiver.take({ id: one.exchange.id ?? '', bytes })
    if (arriving === undefined) return expect(taken).toBe(one.isCounted ? 'excess' : 'unknown')
    if (bytes.length > one.creditBytes) return expect(taken).toBe('excess')
    expect(taken).toBe('taken')
    one.creditBytes -= bytes.length
    Object.assign(arriving.seen, { mark: arriving.mark, gotBytes: arriving.seen.gotBytes + bytes.length })
    if (arriving.seen.gotBytes < arriving.seen.sizeBytes) return
    arriving.seen.state = 'ended'
    one.arriving = undefined
    if (arriving.isLast) one.isCounted = false
  }

  #use(one: Expected, bytes: number, use: () => void): void {
    use()
    one.usedBytes += bytes
    if (!one.isCounted || one.usedBytes < windowBytes / 4) return
    this.granted.get(one.connection)?.push(`${one.exchange.id} ${one.usedBytes}`)
    one.creditBytes += one.usedBytes
    one.usedBytes = 0
  }

  #leave(one: Expected, what: 'cancel' | 'detach'): void {
    one.exchange[what]()
    if (what === 'cancel' && one.isOpen) one.seen.push('failed call_cancelled')
    this.#over(one)
  }

  #over(one: Expected): void {
    if (one.arriving !== undefined) one.arriving.seen.state = 'cut'
    one.arriving = undefined
    one.isOpen = false
    one.isCounted = false
  }

  #receive(one: Expected, frame: object): void {
    this.world.table.received(one.connection, { ...frame, id: one.exchange.id } as ExchangeFrame)
  }
}

function isHeld({ isOpen, arriving }: Expected): boolean {
  return isOpen || arriving !== undefined
}

test('[BIG.3] [BIG.4] [BIG.5] [BIG.9] matches the model for any order of messages, chunks, credit, ends and cuts', () => {
  fc.assert(
    fc.property(fc.array(event, { minLength: 20, maxLength: 120 }), (events) => {
      const both = new Both()
      for (const each of events) {
        both.run(each)
        both.check()
      }
      for (const connection of both.connections) both.cut(connection)
      both.check()
      expect([both.world.table.size, both.world.system.armed]).toEqual([0, 0])
    }),
    { numRuns: 400 },
  )
})
