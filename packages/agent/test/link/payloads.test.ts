import { encodeChunk, limits, type RawJson } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { HeldBytes } from '../../src/held-bytes.ts'
import { MAX_SENDING_BYTES, Payloads } from '../../src/link/payloads.ts'
import { CROWDED, SHARE } from '../../src/link/waiting-frames.ts'

/** Payloads over a socket that never reports a frame as sent. */
function setUp(maxHeldBytes = 100) {
  const texts: string[] = []
  const sent: (() => void)[] = []
  const held = new HeldBytes(maxHeldBytes)
  const socket = {
    send: (frame: Buffer, done = () => {}) => {
      texts.push(String(frame))
      sent.push(done)
    },
    sendChunk: () => {},
  }
  const payloads = new Payloads(socket, held)
  const used: string[] = []
  const receive = (id: string, sizeBytes: number) =>
    payloads.receive(id, sizeBytes, (payload, release) => {
      used.push(`${id} ${payload}`)
      release()
    })
  const take = (id: string, text: string) => payloads.takeChunk(encodeChunk({ id, bytes: Buffer.from(text) }))
  return { payloads, held, texts, sent, used, receive, take }
}

const frame = (id: string, payload?: RawJson) => ({
  id,
  head: Buffer.from(`head ${id}`),
  payload,
  isLast: true,
})

test('[BIG.7] sends a payload of 64 MiB, and refuses a larger one', () => {
  const { payloads, texts } = setUp()
  expect(payloads.send(frame('a', Buffer.alloc(limits.payloadBytes)))).toBe(true)
  expect(payloads.send(frame('b', Buffer.alloc(limits.payloadBytes + 1)))).toBe(false)
  expect(texts).toEqual(['head a'])
})

test('[BIG.7] holds exactly 128 MiB of payloads, and still sends small frames', () => {
  const { payloads, texts } = setUp()
  const rest = MAX_SENDING_BYTES - 2 * (limits.payloadBytes - 1)
  for (const [id, sizeBytes] of [
    ['a', limits.payloadBytes - 1],
    ['b', limits.payloadBytes - 1],
    ['c', rest],
  ] as const)
    expect(payloads.send(frame(id, Buffer.alloc(sizeBytes)))).toBe(true)
  expect(payloads.send(frame('d', Buffer.alloc(1)))).toBe(false)
  expect(payloads.send(frame('e'))).toBe(true)
  expect(texts).toEqual(['head a', 'head b', 'head c', 'head e'])
  payloads.drop('c')
  expect(payloads.send(frame('d', Buffer.alloc(rest + 1)))).toBe(false)
  expect(payloads.send(frame('d', Buffer.alloc(rest)))).toBe(true)
  payloads.end()
  expect(payloads.send(frame('f', Buffer.alloc(limits.payloadBytes)))).toBe(true)
})

test('[BIG.8] frees the memory of a payload once it was used, and ignores chunks after it', () => {
  const { held, used, receive, take } = setUp()
  for (const id of ['a', 'b']) {
    expect(receive(id, 4)).toBe(true)
    expect(held.bytes).toBe(4)
    expect([take(id, '[1'), take(id, ',2')]).toEqual([true, true])
    expect([take(id, '3'), held.bytes]).toEqual([true, 0])
  }
  expect(used).toEqual(['a [1,2', 'b [1,2'])
})

test('[BIG.8] refuses a payload over the memory, and frees those that are cancelled or cut', () => {
  const { payloads, held, used, receive, take } = setUp()
  expect([receive('a', 60), receive('b', 40), receive('c', 1)]).toEqual([true, true, false])
  payloads.drop('a')
  expect([held.bytes, receive('c', 60), receive('d', 1)]).toEqual([40, true, false])
  payloads.end()
  expect([held.bytes, used, take('b', 'x')]).toEqual([0, [], true])
  expect(receive('e', 100)).toBe(true)
})

test('[BIG.8] keeps the first of two payloads announced at once, and the memory of no other', () => {
  const { held, used, receive, take } = setUp()
  receive('a', 2)
  for (let time = 0; time < 2; time++) expect([receive('a', 50), held.bytes]).toEqual([true, 2])
  take('a', '{}')
  expect([used, held.bytes]).toEqual([['a {}'], 0])
})

test('[BIG.4] reports chunks over the announced size, other frames, and credit that was not used', () => {
  const { payloads, receive, take } = setUp()
  receive('a', 2)
  expect(take('a', '123')).toBe(false)
  expect(payloads.takeChunk(Buffer.alloc(0))).toBe(false)
  payloads.send(frame('b', Buffer.alloc(2 * limits.windowBytes)))
  expect(payloads.credit('unknown', 1)).toBe(true)
  expect(payloads.credit('b', limits.windowBytes + 1)).toBe(false)
})

test('[LINK.35] counts the frames of an exchange until the network has taken them', () => {
  const { payloads, sent } = setUp()
  for (let count = 0; count <= CROWDED.frames; count++) payloads.send({ ...frame('a'), isLast: false })
  expect([payloads.isFlooding('a'), payloads.isFlooding('b')]).toEqual([true, false])
  for (const done of sent.splice(0, CROWDED.frames - SHARE.frames)) done()
  expect(payloads.isFlooding('a')).toBe(false)
})
