import { encodeChunk, limits } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { MAX_PENDING, OneConnection, TIMEOUT_MS } from '../support/one-connection.ts'

const RESULT = { type: 'tool_result', success: true, bytes: 10 }
const chunk = (id: string, sizeBytes: number) => encodeChunk({ id, bytes: Buffer.alloc(sizeBytes, 'x') })

async function ready() {
  const one = await new OneConnection().ready()
  return { one, receive: (frame: Buffer) => one.connection.receive(frame, true) }
}

test('[BIG.4] ignores a large result that no call waits for, and its chunks', async () => {
  const { one, receive } = await ready()
  const { id = '' } = one.call()
  one.send({ ...RESULT, id: 'unknown' })
  receive(chunk('unknown', 5))
  expect(one.named('ws_unexpected_result')).toHaveLength(1)
  expect(one.uncounted.at(-1)).toBe(chunk('unknown', 5).length)
  expect([one.outcomes, one.sent('error')]).toEqual([[], []])
  one.send({ ...RESULT, id })
  one.send({ ...RESULT, id })
  expect(one.outcomes).toEqual(['10 bytes'])
  expect(one.named('ws_unexpected_result')).toHaveLength(2)
})

test('[BIG.4] refuses chunks beyond the payload, and any other binary frame, and counts them', async () => {
  const { one, receive } = await ready()
  const { id = '' } = one.call()
  one.send({ ...RESULT, id })
  receive(chunk(id, 11))
  receive(Buffer.from('{"type":"ping"}'))
  expect(one.sent('error').map(({ error }) => error)).toEqual(['message_invalid', 'message_not_text'])
  receive(chunk(id, 10))
  expect(one.sent('error')).toHaveLength(2)
  for (let n = 0; n < limits.strikes; n++) receive(Buffer.alloc(1))
  expect(one.socket.closedWith).toBe('4400 message_not_text')
})

test('[BIG.4] takes binary frames only from a verified v2 agent', () => {
  const unverified = new OneConnection()
  unverified.connection.receive(chunk('a', 1), true)
  expect(unverified.sent('error').map(({ error }) => error)).toEqual(['message_not_text'])
})

test('[BIG.4] refuses a v1 agent’s binary frames, and results that it announces', async () => {
  const one = await new OneConnection({ version: 'v1' }).ready()
  one.connection.receive(chunk('a', 1), true)
  expect(one.sent('error').map(({ error }) => error)).toEqual(['message_not_text'])
})

test('[BIG.9] keeps a call until its result is complete, and cuts it if no chunk comes in time', async () => {
  const { one, receive } = await ready()
  const ids = Array.from({ length: MAX_PENDING }, () => one.call().id ?? '')
  for (const id of ids) one.send({ ...RESULT, id })
  one.call()
  expect(one.outcomes.at(-1)).toBe('too_many_calls')
  receive(chunk(ids[0] ?? '', 10))
  for (let time = 0; time < 3; time++) {
    one.system.advance(TIMEOUT_MS - 1)
    receive(chunk(ids[1] ?? '', 1))
  }
  expect(one.sent('tool_cancel').map(({ id }) => id)).toEqual([ids[2]])
  one.system.advance(TIMEOUT_MS)
  expect(one.sent('tool_cancel').map(({ id }) => id)).toEqual([ids[2], ids[1]])
  one.call()
  expect(one.outcomes).toHaveLength(MAX_PENDING + 1)
})

test('[BIG.10] sends large arguments within the window, and refuses more credit than that', async () => {
  const { one } = await ready()
  const rawArgs = Buffer.from(`{"x":"${'x'.repeat(limits.messageBytes)}"}`)
  const { id } = one.call({ rawArgs })
  expect(one.sent('tool_execute')).toMatchObject([{ id, bytes: rawArgs.length }])
  for (const { sent } of one.socket.chunks) sent()
  const sentBytes = () =>
    one.socket.chunks.reduce((sum, { frame }) => sum + frame.length - 1 - (id?.length ?? 0), 0)
  expect(sentBytes()).toBe(limits.windowBytes)
  one.send({ type: 'credit', id, bytes: 1_000 })
  expect(sentBytes()).toBe(limits.windowBytes + 1_000)
  one.send({ type: 'credit', id, bytes: limits.windowBytes })
  one.send({ type: 'credit', id, bytes: 1 })
  expect(one.sent('error')).toEqual([])
  one.send({ type: 'credit', id, bytes: limits.windowBytes })
  expect(one.sent('error').map(({ error }) => error)).toEqual(['message_invalid'])
  one.send({ type: 'credit', id: 'unknown', bytes: limits.windowBytes })
  expect(one.sent('error')).toHaveLength(1)
})
