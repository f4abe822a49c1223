import {
  ChunkReceiver,
  ChunkSender,
  decodeChunk,
  encodeChunk,
  limits,
  type PayloadStream,
  QUEUED_CHUNK_BYTES,
  readWhole,
} from '@bridgekeeper/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const { chunkBytes, windowBytes } = limits

const wholePayload = (stream: PayloadStream) =>
  new Promise<Buffer | undefined>((resolve) => readWhole(stream, resolve))

/** Bytes in which every chunk differs from the others. */
function payloadOf(sizeBytes: number, seed: number): Buffer {
  const payload = Buffer.alloc(sizeBytes, seed)
  for (let at = 0; at < sizeBytes; at += 251) payload[at] = (at / 251) & 0xff
  return payload
}

const isEqual = (got: string | Buffer | undefined, expected: Buffer) =>
  Buffer.isBuffer(got) && got.equals(expected)

test('[BIG.1] reads a chunk as it was written', () => {
  const id = fc.string({
    unit: fc.constantFrom(...'abcXYZ019-_'),
    minLength: 1,
    maxLength: limits.callIdChars,
  })
  fc.assert(
    fc.property(id, fc.integer({ min: 1, max: 300 }), (text, sizeBytes) => {
      const chunk = { id: text, bytes: payloadOf(sizeBytes, 7) }
      expect(decodeChunk(encodeChunk(chunk))).toEqual(chunk)
    }),
  )
})

test.each([
  ['nothing', Buffer.alloc(0)],
  ['no id', Buffer.from([0, 1, 2])],
  ['an id that is too long', Buffer.alloc(400, limits.callIdChars + 1)],
  ['a cut id', Buffer.from('\x05abc', 'latin1')],
  ['no bytes', Buffer.from('\x03abc', 'latin1')],
  ['too many bytes', Buffer.concat([Buffer.from('\x01a', 'latin1'), Buffer.alloc(chunkBytes + 1)])],
])('[BIG.1] refuses a chunk with %s', (_what, frame) => {
  expect(decodeChunk(frame)).toBeUndefined()
})

/** Both ends of a connection, whose frames and callbacks happen when a test says so. */
class Wire {
  readonly sender: ChunkSender
  readonly receiver: ChunkReceiver
  /** Frames under way, in order; `sent` tells the sender that the network took one. */
  readonly frames: (string | Buffer)[] = []
  readonly sent: (() => void)[] = []
  readonly credits: [id: string, bytes: number][] = []
  /** Heads and bytes as they arrived. */
  readonly received: Record<string, (string | Buffer)[]> = {}
  readonly unused: [stream: PayloadStream, bytes: number][] = []
  queuedBytes = 0
  maxQueuedBytes = 0
  readonly inFlightBytes: Record<string, number> = {}
  maxInFlightBytes = 0

  constructor() {
    this.receiver = new ChunkReceiver((id, bytes) => this.credits.push([id, bytes]))
    this.sender = new ChunkSender({
      text: (frame) => this.frames.push(frame.toString()),
      binary: (frame, sent) => {
        this.frames.push(frame)
        this.queuedBytes += frame.length
        this.maxQueuedBytes = Math.max(this.maxQueuedBytes, this.queuedBytes)
        this.sent.push(() => {
          this.queuedBytes -= frame.length
          sent()
        })
        this.#count(decodeChunk(frame)?.id ?? '', frame.length)
      },
    })
  }

  #count(id: string, bytes: number): void {
    const inFlight = (this.inFlightBytes[id] ?? 0) + bytes
    this.inFlightBytes[id] = inFlight
    this.maxInFlightBytes = Math.max(this.maxInFlightBytes, inFlight)
  }

  send(id: string, name: string, payload: Buffer | undefined, isLast: boolean): void {
    const head = Buffer.from(JSON.stringify({ id, name, bytes: payload?.length, isLast }))
    this.sender.send({ id, head, payload, isLast })
  }

  /** Delivers the next frame. */
  deliver(): boolean {
    const frame = this.frames.shift()
    if (frame === undefined) return false
    if (typeof frame === 'string') this.#head(frame)
    else {
      const chunk = decodeChunk(frame)
      expect(chunk && this.receiver.take(chunk)).toBe('taken')
    }
    return true
  }

  #head(frame: string): void {
    const { id, name, bytes, isLast } = JSON.parse(frame)
    const received = this.received[id] ?? []
    this.received[id] = received
    received.push(name)
    if (bytes === undefined) return
    const stream = this.receiver.expect(id, bytes, isLast)
    if (stream === undefined) throw new Error('The payload before it is not complete.')
    const parts: Buffer[] = []
    stream.read({
      chunk: (part) => {
        parts.push(part)
        this.unused.push([stream, part.length])
      },
      end: () => received.push(Buffer.concat(parts)),
      cut: () => received.push('cut'),
    })
  }

  use(at: number): boolean {
    const [used] = this.unused.splice(at % Math.max(1, this.unused.length), 1)
    if (used !== undefined) used[0].used(used[1])
    return used !== undefined
  }

  grant(): boolean {
    const credit = this.credits.shift()
    if (credit === undefined) return false
    this.#count(credit[0], -credit[1])
    expect(this.sender.credit(...credit)).not.toBe('excess')
    return true
  }

  network(): boolean {
    const sent = this.sent.shift()
    sent?.()
    return sent !== undefined
  }

  /** Does everything that is possible. */
  settle(): void {
    for (let is = true; is; ) is = [this.deliver(), this.use(0), this.grant(), this.network()].includes(true)
  }
}

/** Sizes around chunks and windows. */
const sizes = fc.oneof(
  fc.constant(undefined),
  fc.integer({ min: 1, max: 100 }),
  fc.constantFrom(chunkBytes, chunkBytes + 1, windowBytes, windowBytes + 1, 1.5 * windowBytes),
)
const sends = fc.record({
  id: fc.constantFrom('a', 'b', 'c'),
  size: sizes,
  pauses: fc.array(fc.nat(), { maxLength: 12 }),
})

test('[BIG.2] [BIG.3] delivers payloads whole and in order, within the window, whatever the interleaving', () => {
  fc.assert(
    fc.property(fc.array(sends, { minLength: 1, maxLength: 8 }), (all) => {
      const wire = new Wire()
      const expected: Record<string, (string | Buffer)[]> = {}
      all.forEach(({ id, size, pauses }, at) => {
        const payload = size === undefined ? undefined : payloadOf(size, at)
        expected[id] = [...(expected[id] ?? []), `${at}`, ...(payload === undefined ? [] : [payload])]
        wire.send(id, `${at}`, payload, all.findLastIndex((other) => other.id === id) === at)
        for (const step of pauses)
          [() => wire.deliver(), () => wire.use(step), () => wire.grant(), () => wire.network()][step % 4]?.()
      })
      wire.settle()
      expect(Object.keys(wire.received).sort()).toEqual(Object.keys(expected).sort())
      for (const [id, parts] of Object.entries(expected)) {
        expect(wire.received[id]?.length).toBe(parts.length)
        parts.forEach((part, at) => {
          const got = wire.received[id]?.[at]
          expect(typeof part === 'string' ? got === part : isEqual(got, part)).toBe(true)
        })
      }
      const headBytes = 2 * (windowBytes / chunkBytes) * 8
      expect(wire.maxInFlightBytes).toBeLessThanOrEqual(windowBytes + headBytes)
      expect(wire.maxQueuedBytes).toBeLessThan(QUEUED_CHUNK_BYTES + chunkBytes + 200)
      expect(wire.sender.heldBytes).toBe(0)
    }),
    { numRuns: 60 },
  )
})

test('[BIG.2] sends a small frame at once beside large payloads, and the payloads in turn', () => {
  const wire = new Wire()
  wire.send('large', 'L', payloadOf(windowBytes, 1), true)
  wire.send('other', 'O', payloadOf(windowBytes, 2), true)
  const before = wire.frames.length
  wire.send('small', 'S', undefined, true)
  expect(wire.frames.length).toBe(before + 1)
  while (wire.network());
  const turns = wire.frames
    .map((frame) => (typeof frame === 'string' ? '' : decodeChunk(frame)?.id))
    .filter((id) => id !== '')
  expect(turns.length).toBe((2 * windowBytes) / chunkBytes)
  expect(turns.slice(2, 6)).toEqual(['large', 'other', 'large', 'other'])
  wire.settle()
  expect(isEqual(wire.received.large?.[1], payloadOf(windowBytes, 1))).toBe(true)
  expect(isEqual(wire.received.other?.[1], payloadOf(windowBytes, 2))).toBe(true)
})

test('[BIG.3] stops at the window until the receiver has used bytes', () => {
  const wire = new Wire()
  wire.send('a', 'A', payloadOf(3 * windowBytes, 1), true)
  while (wire.network() || wire.deliver());
  expect(wire.inFlightBytes.a).toBeGreaterThanOrEqual(windowBytes)
  expect(wire.unused.reduce((sum, [, bytes]) => sum + bytes, 0)).toBe(windowBytes)
  wire.settle()
  expect(isEqual(wire.received.a?.[1], payloadOf(3 * windowBytes, 1))).toBe(true)
})

test('[BIG.3] refuses credit for more than the window, and ignores credit of an unknown exchange', () => {
  const wire = new Wire()
  wire.send('a', 'A', payloadOf(3 * windowBytes, 1), true)
  expect(wire.sender.credit('a', QUEUED_CHUNK_BYTES + 1)).toBe('excess')
  expect(wire.sender.credit('a', QUEUED_CHUNK_BYTES)).toBe('taken')
  expect(wire.sender.credit('b', windowBytes)).toBe('unknown')
})

const receiver = () => new ChunkReceiver(() => {})
const chunk = (sizeBytes: number, id = 'a') => ({ id, bytes: Buffer.alloc(sizeBytes) })

test('[BIG.4] refuses bytes beyond the window or the payload, and ignores chunks of an unknown exchange', () => {
  const beyondWindow = receiver()
  beyondWindow.expect('a', 2 * windowBytes, true)
  for (let sent = 0; sent < windowBytes; sent += chunkBytes)
    expect(beyondWindow.take(chunk(chunkBytes))).toBe('taken')
  expect(beyondWindow.take(chunk(1))).toBe('excess')

  const beyondPayload = receiver()
  beyondPayload.expect('a', 10, false)
  expect(beyondPayload.take(chunk(11))).toBe('excess')
  expect(beyondPayload.take(chunk(10))).toBe('taken')
  expect(beyondPayload.take(chunk(1))).toBe('excess')
  expect(beyondPayload.take(chunk(1, 'b'))).toBe('unknown')

  const afterLast = receiver()
  afterLast.expect('a', 1, true)
  expect([afterLast.take(chunk(1)), afterLast.take(chunk(1))]).toEqual(['taken', 'unknown'])
})

test('[BIG.4] expects one payload at a time', () => {
  const one = receiver()
  one.expect('a', 2, false)
  expect(one.expect('a', 2, false)).toBeUndefined()
  one.take(chunk(2))
  expect(one.expect('a', 2, false)).toBeDefined()
})

test('[BIG.5] cuts an incomplete payload when its exchange or connection ends, and not a complete one', async () => {
  for (const end of [(one: ChunkReceiver) => one.drop('a'), (one: ChunkReceiver) => one.dropAll()]) {
    const one = receiver()
    const cut = one.expect('a', 2, false)
    const early = one.expect('b', 2, false)
    const whole = one.expect('c', 2, false)
    if (cut === undefined || early === undefined || whole === undefined) throw new Error()
    const read = wholePayload(cut)
    for (const id of ['b', 'c']) one.take(chunk(1, id))
    one.take(chunk(1, 'c'))
    end(one)
    end(one)
    expect(await read).toBeUndefined()
    expect(await wholePayload(whole)).toEqual(Buffer.alloc(2))
    expect(one.take(chunk(1))).toBe('unknown')
  }
})

test('[BIG.5] sends nothing more of an exchange that is over, and holds none of its bytes', () => {
  const wire = new Wire()
  wire.send('a', '1', payloadOf(3 * windowBytes, 1), false)
  wire.send('a', '2', payloadOf(10, 1), false)
  wire.send('b', '3', payloadOf(10, 1), true)
  wire.sender.drop('a')
  wire.sender.drop('a')
  while (wire.network());
  const chunks = wire.frames.flatMap((frame) => (typeof frame === 'string' ? [] : [decodeChunk(frame)?.id]))
  expect(chunks.filter((id) => id === 'a').length).toBeLessThanOrEqual(QUEUED_CHUNK_BYTES / chunkBytes)
  expect(chunks).toContain('b')
  expect(wire.frames).not.toContain('{"id":"a","name":"2","bytes":10,"isLast":false}')
  expect(wire.sender.heldBytes).toBe(0)
  wire.send('c', '4', payloadOf(3 * windowBytes, 1), true)
  wire.sender.dropAll()
  expect(wire.sender.heldBytes).toBe(0)
})

test('[BIG.3] grants credit for bytes that were used, and none after the end', () => {
  const granted: number[] = []
  const one = new ChunkReceiver((_id, bytes) => granted.push(bytes))
  const stream = one.expect('a', 2 * windowBytes, true)
  stream?.used(windowBytes / 4 - 1)
  expect(granted).toEqual([])
  stream?.used(1)
  expect(granted).toEqual([windowBytes / 4])
  one.drop('a')
  stream?.used(windowBytes)
  expect(granted).toEqual([windowBytes / 4])
})
