import { limits, type PayloadStream } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import type { ExchangeEnd, ExchangeReader, Opening } from '../../src/exchanges/exchange.ts'
import { ExchangeTable } from '../../src/exchanges/exchange-table.ts'
import {
  ANSWER,
  ASK,
  ExchangeWorld,
  NotedReader,
  PROGRESS,
  REQUEST,
  SESSION,
  TABLE_LIMITS,
} from '../support/exchange-world.ts'
import { FakeConnection } from '../support/fake-connection.ts'

const BYTES = 100
const { callTimeoutMs, maxCallMs } = TABLE_LIMITS

/** Keeps its ends, and reads each payload that arrives. */
class ReadingReader implements ExchangeReader {
  readonly ends: ExchangeEnd[] = []
  /** How each payload ended. */
  readonly payloads: string[] = []

  accepted(): void {}

  message(message: Buffer | PayloadStream): void {
    this.#read(message)
  }

  ended(end: ExchangeEnd): void {
    this.ends.push(end)
    if (end.kind === 'answered' && end.message !== undefined) this.#read(end.message)
  }

  #read(payload: Buffer | PayloadStream): void {
    if (Buffer.isBuffer(payload)) return
    payload.read({
      chunk() {},
      end: () => void this.payloads.push('ended'),
      cut: () => void this.payloads.push('cut'),
    })
  }
}

/** An accepted exchange whose payloads are read. */
function reading(changes: Partial<Opening> = {}) {
  const at = new ExchangeWorld()
  const reader = new ReadingReader()
  const exchange = at.table.open(at.agent, { ...REQUEST, ...changes }, 'client', reader)
  const id = exchange.id ?? ''
  const receive = (frame: object): boolean =>
    at.table.received(at.agent, { id, ...frame } as Parameters<ExchangeTable['received']>[1])
  receive({ type: 'accepted' })
  const chunk = (sizeBytes: number) => at.agent.receiver.take({ id, bytes: Buffer.alloc(sizeBytes) })
  return { at, reader, exchange, id, receive, chunk }
}

const LARGE_END = { type: 'end', status: 200, bytes: BYTES } as const
const LARGE_MESSAGE = { type: 'message', bytes: BYTES }

test('[EXCH.5] a task’s result has the longest duration from its beginning, without any frame', () => {
  const at = new ExchangeWorld()
  const { seen } = at.open({ method: 'tasks/result' })
  at.system.advance(maxCallMs - 1)
  expect(seen).toEqual([])
  at.system.advance(1)
  expect(seen).toEqual(['failed call_timeout'])
})

test('[EXCH.5] a longest duration below the time limit does not shorten it', () => {
  const at = new ExchangeWorld()
  const table = new ExchangeTable(at.system, at.inFlight, { ...TABLE_LIMITS, maxCallMs: 1_000 })
  const reader = new NotedReader()
  table.open(at.agent, REQUEST, 'client', reader)
  at.system.advance(callTimeoutMs - 1)
  expect(reader.seen).toEqual([])
  at.system.advance(1)
  expect(reader.seen).toEqual(['failed call_timeout'])
})

test('[EXCH.5] a message in chunks is no question to the caller, so that the time limit begins again', () => {
  const { at, reader, receive, chunk } = reading()
  receive({ type: 'message', message: ASK })
  receive(LARGE_MESSAGE)
  at.system.advance(callTimeoutMs - 1)
  expect(chunk(1)).toBe('taken')
  at.system.advance(callTimeoutMs - 1)
  expect(reader.ends).toEqual([])
  at.system.advance(1)
  expect(reader.ends).toMatchObject([{ kind: 'failed', error: { code: 'call_timeout' } }])
  expect(reader.payloads).toEqual(['cut'])
})

test('[BIG.9] the time limit begins again when an answer begins to arrive', () => {
  const { at, receive } = reading()
  at.system.advance(callTimeoutMs - 1)
  receive(LARGE_END)
  at.system.advance(callTimeoutMs - 1)
  expect(at.table.size).toBe(1)
  at.system.advance(1)
  expect(at.table.size).toBe(0)
})

test('[EXCH.3] ignores frames while the answer arrives, which extend no time limit', () => {
  const at = new ExchangeWorld()
  const { seen, receive } = at.open()
  receive({ ...LARGE_END, number: 5 })
  at.system.advance(1)
  expect(receive({ type: 'accepted' })).toBe(false)
  receive({ type: 'message', message: PROGRESS })
  at.system.advance(callTimeoutMs - 1)
  expect([at.table.size, seen]).toEqual([0, ['200 [object Object] 5']])
})

test('[BIG.4] passes on messages in chunks one after the other, then an answer in chunks', () => {
  const { at, reader, receive, chunk } = reading()
  for (let count = 0; count < 2; count++) {
    receive(LARGE_MESSAGE)
    expect(chunk(BYTES)).toBe('taken')
    // Between two payloads nothing may come, but the exchange is known.
    expect(chunk(1)).toBe('excess')
  }
  expect(receive(LARGE_END)).toBe(true)
  expect([chunk(BYTES), chunk(1)]).toEqual(['taken', 'unknown'])
  expect(reader.payloads).toEqual(['ended', 'ended', 'ended'])
  expect([at.table.size, at.followUps]).toEqual([0, []])
})

test.each([
  ['whole', { type: 'end', status: 200, message: ANSWER }, 'answered'],
  ['in chunks', LARGE_END, 'failed'],
])(
  '[BIG.5] [EXCH.3] cuts a message when the end comes before it is complete: an answer %s',
  (_title, end, kind) => {
    const { at, reader, receive, chunk } = reading()
    receive(LARGE_MESSAGE)
    chunk(1)
    receive(end)
    expect(reader.payloads).toEqual(['cut'])
    expect(reader.ends.map((one) => one.kind)).toEqual([kind])
    expect([at.table.size, chunk(1)]).toEqual([0, 'unknown'])
  },
)

test('[BIG.4] takes an answer in chunks for a stream, and none for the end of a session', () => {
  const stream = reading({ kind: 'stream', method: undefined })
  stream.receive(LARGE_END)
  expect(stream.reader.ends).toMatchObject([{ kind: 'answered', message: { sizeBytes: BYTES } }])
  const ending = reading({ kind: 'delete', method: undefined })
  ending.receive(LARGE_END)
  expect(ending.reader.ends).toMatchObject([{ kind: 'failed', error: { code: 'result_invalid' } }])
  expect(ending.chunk(1)).toBe('unknown')
})

test.each<[string, (at: ReturnType<typeof reading>) => void]>([
  ['was cancelled', ({ exchange }) => exchange.cancel()],
  ['timed out', ({ at }) => at.system.advance(callTimeoutMs)],
  ['lost its connection', ({ at }) => at.table.cut(at.agent)],
])('[EXCH.5] [EXCH.6] [EXCH.9] names the exchange that %s', (_title, end) => {
  const at = reading()
  end(at)
  expect(at.reader.ends).toHaveLength(1)
  const [ended] = at.reader.ends
  expect(ended !== undefined && 'error' in ended && ended.error.message.endsWith(` Exchange ${at.id}.`)).toBe(
    true,
  )
})

test('[BIG.5] a reader that detaches leaves no payload of its exchange', () => {
  const { at, reader, exchange, receive, chunk } = reading({ session: SESSION })
  receive(LARGE_MESSAGE)
  exchange.detach()
  expect([reader.payloads, reader.ends, chunk(1)]).toEqual([['cut'], [], 'unknown'])
  expect([at.followUps, at.table.size]).toEqual([['detach'], 0])
})

test('[EXCH.6] a connection without exchanges has nothing to cut or to refuse', () => {
  const at = new ExchangeWorld()
  const { id, seen } = at.open()
  const other = new FakeConnection('ann', 'other')
  at.table.cut(other)
  at.table.endRefused(other, id, 'result_invalid')
  expect([at.table.received(other, { type: 'accepted', id }), seen]).toEqual([false, []])
})

test('[BIG.10] sends a message that fits into one frame with that frame', () => {
  const at = new ExchangeWorld()
  at.open({ message: Buffer.from(`{"x":"${'x'.repeat(limits.messageBytes / 2)}"}`) })
  expect([at.agent.large, at.agent.sent.length]).toEqual([[], 1])
})
