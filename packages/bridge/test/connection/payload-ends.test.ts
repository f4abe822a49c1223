import { encodeChunk, limits, type PayloadStream } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { OneConnection, TIMEOUT_MS } from '../support/one-connection.ts'

const SIZE_BYTES = 4 * limits.chunkBytes
const RESULT = { type: 'tool_result', success: true, bytes: SIZE_BYTES }
const UNREADABLE = `"success":true,"result":${'['.repeat(1_000)}}`
const chunk = (id: string, sizeBytes: number = limits.chunkBytes) =>
  encodeChunk({ id, bytes: Buffer.alloc(sizeBytes, 'x') })

/** An agent that sends the large result of a call. */
async function arriving() {
  const one = await new OneConnection().ready()
  const ends: string[] = []
  const usedBytes: number[] = []
  let stream: PayloadStream | undefined
  const call = { serverName: 's', toolName: 't', rawArgs: Buffer.from('{}') }
  const sent = one.connection.call(call, (outcome) => {
    if (outcome.kind === 'large') stream = outcome.result
  })
  const id = sent.id ?? ''
  one.send({ ...RESULT, id })
  stream?.read({
    chunk: (bytes) => {
      usedBytes.push(bytes.length)
      stream?.used(bytes.length)
    },
    end: () => ends.push('ended'),
    cut: () => ends.push('cut'),
  })
  /** Sends a chunk. @returns whether an open payload needed it */
  const isNeeded = (frame = chunk(id)): boolean => {
    const before = one.uncounted.length
    one.connection.receive(frame, true)
    return one.uncounted.length === before
  }
  return { one, id, sent, ends, usedBytes, isNeeded }
}

/** An agent that gets large arguments, of which the window is only partly used. */
async function sending() {
  const one = await new OneConnection().ready()
  const sent = one.call({ rawArgs: Buffer.from(`{"x":"${'x'.repeat(limits.messageBytes)}"}`) })
  const before = one.socket.chunks.length
  /** Whether another chunk follows once the network has taken the first ones. */
  const continues = (): boolean => {
    for (const { sent: taken } of one.socket.chunks.slice(0, before)) taken()
    return one.socket.chunks.length > before
  }
  return { one, id: sent.id ?? '', sent, continues }
}

test('[BIG.3] grants credit for the bytes of a result that were read', async () => {
  const { one, id, isNeeded, usedBytes } = await arriving()
  expect(one.sent('credit')).toEqual([])
  expect(isNeeded()).toBe(true)
  expect(usedBytes).toEqual([limits.chunkBytes])
  expect(one.sent('credit')).toMatchObject([{ id, bytes: limits.windowBytes / 4 }])
})

test('[BIG.4] ignores a chunk after the last one of a result, and charges it', async () => {
  const { one, id, ends, isNeeded } = await arriving()
  for (let n = 0; n < 4; n++) expect(isNeeded()).toBe(true)
  expect(ends).toEqual(['ended'])
  expect(isNeeded(chunk(id, 1))).toBe(false)
  expect(one.sent('error')).toEqual([])
})

test('[BIG.4] cuts a result whose agent exceeds its size or window, and ignores its other chunks', async () => {
  const { one, ends, isNeeded } = await arriving()
  for (let n = 0; n < 3; n++) isNeeded()
  expect(isNeeded(chunk(one.socket.idsOf('tool_execute')[0] ?? '', 1))).toBe(true)
  expect(isNeeded()).toBe(false)
  expect(ends).toEqual(['cut'])
  expect(isNeeded()).toBe(false)
  expect(one.sent('error').map(({ message }) => message)).toEqual([
    expect.stringMatching(/ It exceeds its payload or window\.$/),
  ])
})

test.each<[string, (at: Awaited<ReturnType<typeof arriving>>) => void]>([
  ['its caller cancels', ({ sent }) => sent.cancel()],
  ['it times out', ({ one }) => one.system.advance(TIMEOUT_MS)],
  [
    'its agent then sends an unreadable one',
    ({ one, id }) => one.send(`{"type":"tool_result","id":"${id}",${UNREADABLE}`),
  ],
  [
    'its agent then sends a whole one',
    ({ one, id }) => one.send({ type: 'tool_result', id, success: true, result: {} }),
  ],
  [
    'its agent then sends a failure',
    ({ one, id }) => one.send({ type: 'tool_result', id, success: false, error: 'no' }),
  ],
])('[BIG.5] cuts a result that arrives when %s', async (_title, end) => {
  const at = await arriving()
  expect(at.isNeeded()).toBe(true)
  end(at)
  expect(at.ends).toEqual(['cut'])
  expect(at.isNeeded()).toBe(false)
})

test('[BIG.5] cuts a result that arrives when its connection ends', async () => {
  const { one, ends } = await arriving()
  one.connection.revoke()
  expect(ends).toEqual(['cut'])
})

test('[BIG.10] sends further chunks of arguments once the network has taken the first ones', async () => {
  const { continues } = await sending()
  expect(continues()).toBe(true)
})

test.each<[string, (at: Awaited<ReturnType<typeof sending>>) => void]>([
  ['its caller cancels', ({ sent }) => sent.cancel()],
  ['it times out', ({ one }) => one.system.advance(TIMEOUT_MS)],
  [
    'its agent has answered',
    ({ one, id }) => one.send({ type: 'tool_result', id, success: true, result: {} }),
  ],
  [
    'its agent has failed it',
    ({ one, id }) => one.send({ type: 'tool_result', id, success: false, error: 'no' }),
  ],
  [
    'its agent’s answer is unreadable',
    ({ one, id }) => one.send(`{"type":"tool_result","id":"${id}",${UNREADABLE}`),
  ],
  ['its connection ends', ({ one }) => one.connection.revoke()],
  ['the exchange of this id is over', ({ one, id }) => one.connection.drop(id)],
])('[BIG.5] sends no further arguments of a call when %s', async (_title, end) => {
  const at = await sending()
  end(at)
  expect(at.continues()).toBe(false)
})

test('[BIG.5] ignores credit for a payload that is over, and for an agent that never had one', async () => {
  const { one, id, sent } = await sending()
  sent.cancel()
  const other = await new OneConnection().ready()
  for (const { connection } of [one, other])
    connection.receive(Buffer.from(JSON.stringify({ type: 'credit', id, bytes: limits.windowBytes })), false)
  expect([one.sent('error'), other.sent('error')]).toEqual([[], []])
  expect(other.uncounted).toHaveLength(2)
})

test('[EXCH.9] [BIG.5] sends no large frame of an exchange once the connection has ended', async () => {
  const one = new OneConnection()
  const frame = {
    id: 'x',
    head: Buffer.from('{"type":"open","id":"x"}'),
    payload: Buffer.from('{}'),
    isLast: true,
  }
  one.connection.sendLarge(frame)
  await one.ready()
  one.connection.sendLarge(frame)
  one.connection.drain()
  one.connection.sendLarge(frame)
  expect([one.sent('open').length, one.socket.chunks.length]).toEqual([1, 1])
})

test('[BIG.5] an exchange’s payload is cut once the exchange is over', async () => {
  const one = await new OneConnection().ready()
  let isCut = false
  one.connection.expect('x', 10, false)?.read({ chunk() {}, end() {}, cut: () => (isCut = true) })
  one.connection.drop('other')
  expect(isCut).toBe(false)
  one.connection.drop('x')
  expect(isCut).toBe(true)
})

test('[CALL.9] an unreadable answer to no call leaves the payload of the exchange with its id', async () => {
  const one = await new OneConnection().ready()
  one.call()
  let isCut = false
  one.connection.expect('x', 10, true)?.read({ chunk() {}, end() {}, cut: () => (isCut = true) })
  one.send(`{"type":"tool_result","id":"x",${UNREADABLE}`)
  expect(isCut).toBe(false)
})

test('[BIG.4] a payload of an exchange may follow the one before it, which must be complete', async () => {
  const one = await new OneConnection().ready()
  const { connection } = one
  expect(connection.expect('x', 1, false)).toBeDefined()
  expect(connection.expect('x', 1, false)).toBeUndefined()
  connection.receive(chunk('x', 1), true)
  // Between two payloads, a chunk breaks the protocol.
  connection.receive(chunk('x', 1), true)
  expect(one.sent('error').map(({ error }) => error)).toEqual(['message_invalid'])
  expect(connection.expect('x', 1, true)).toBeDefined()
  connection.receive(chunk('x', 1), true)
  connection.receive(chunk('x', 1), true)
  expect(one.sent('error')).toHaveLength(1)
})
