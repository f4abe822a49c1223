import { limits } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import type { Opening } from '../../src/exchanges/exchange.ts'
import { ANSWER, ExchangeWorld, SESSION, TABLE_LIMITS } from '../support/exchange-world.ts'

const BYTES = 100

/** An exchange whose answer arrives. */
function arriving(changes: Partial<Opening> = {}) {
  const at = new ExchangeWorld()
  const one = at.open(changes)
  const chunk = (sizeBytes: number) => at.agent.receiver.take({ id: one.id, bytes: Buffer.alloc(sizeBytes) })
  one.receive({ type: 'end', status: 200, bytes: BYTES })
  return { at, chunk, ...one }
}

test('[BIG.9] keeps an exchange until its answer is complete', () => {
  const { at, chunk, seen, receive } = arriving()
  expect(seen).toHaveLength(1)
  expect([at.table.size, at.inFlight.count]).toEqual([1, 1])
  expect(receive({ type: 'end', status: 200, message: ANSWER })).toBe(false)
  expect([chunk(BYTES - 1), at.table.size]).toEqual(['taken', 1])
  expect([chunk(1), at.table.size, at.inFlight.count]).toEqual(['taken', 0, 0])
  expect([seen.length, at.followUps]).toEqual([1, []])
})

test('[BIG.9] cuts an answer of which no chunk comes in time', () => {
  const { at, chunk } = arriving()
  for (let time = 0; time < 3; time++) {
    at.system.advance(TABLE_LIMITS.callTimeoutMs - 1)
    chunk(1)
  }
  expect(at.table.size).toBe(1)
  at.system.advance(TABLE_LIMITS.callTimeoutMs)
  expect([at.table.size, at.followUps, chunk(1)]).toEqual([0, ['cancel'], 'unknown'])
})

test.each([
  ['cancel', undefined],
  ['detach', SESSION],
] as const)(
  '[BIG.5] tells the agent to %s when the caller leaves in the middle of the answer',
  (method, session) => {
    const { at, chunk, exchange } = arriving({ session })
    exchange[method]()
    exchange[method]()
    expect([at.followUps, at.table.size, chunk(1)]).toEqual([[method], 0, 'unknown'])
  },
)

test('[BIG.5] cuts messages and answers of exchanges whose connection has ended', () => {
  const { at, chunk, id } = arriving()
  at.table.cut(at.agent)
  at.agent.receiver.dropAll()
  expect([at.table.size, chunk(1)]).toEqual([0, 'unknown'])
  const message = at.open()
  message.receive({ type: 'accepted' })
  message.receive({ type: 'message', bytes: BYTES })
  at.table.cut(at.agent)
  expect(message.seen.at(-1)).toBe('failed outcome_unknown')
  expect(at.agent.receiver.take({ id: message.id, bytes: Buffer.alloc(1) })).toBe('unknown')
  expect(id).not.toBe(message.id)
})

test('[BIG.4] takes no payload of an exchange of another connection, or of none', () => {
  const at = new ExchangeWorld()
  const one = at.open()
  const other = new ExchangeWorld().agent
  expect(one.receive({ type: 'end', status: 200, bytes: BYTES }, other)).toBe(false)
  expect(other.receiver.take({ id: one.id, bytes: Buffer.alloc(1) })).toBe('unknown')
  expect(one.receive({ type: 'message', bytes: BYTES })).toBe(false)
  expect(at.agent.receiver.take({ id: one.id, bytes: Buffer.alloc(1) })).toBe('unknown')
  expect(one.seen).toEqual([])
})

test('[BIG.4] refuses a large answer to a note, and a message before the last one is complete', () => {
  const at = new ExchangeWorld()
  const note = at.open({ kind: 'note', method: undefined })
  note.receive({ type: 'end', status: 202, bytes: BYTES })
  expect(note.seen).toEqual(['failed result_invalid'])
  const one = at.open()
  one.receive({ type: 'accepted' })
  one.receive({ type: 'message', bytes: BYTES })
  one.receive({ type: 'message', bytes: BYTES })
  expect(one.seen).toHaveLength(2)
})

test('[BIG.10] opens an exchange with a large message as a frame whose payload follows', () => {
  const at = new ExchangeWorld()
  const message = Buffer.from(`{"x":"${'x'.repeat(limits.messageBytes)}"}`)
  const { id } = at.open({ message })
  expect(at.agent.large.map((frame) => [frame.id, frame.payload?.equals(message), frame.isLast])).toEqual([
    [id, true, true],
  ])
})
