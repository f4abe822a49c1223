import { callbackLog, createTokens, memoryUsers, realSystem, type SecurityEvent } from '@bridgekeeper/bridge'
import { decodeDown, decodeUp, isJson, objectMembers } from '@bridgekeeper/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { answerNext } from '../support/agents.ts'
import { SECRET, startBridge, user } from '../support/bridge.ts'
import { dial, type Peer, verifiedPeer } from '../support/peer.ts'
import { anyFrame, anyWireBytes, REPEATED, repeated } from './frames.ts'

const READERS = [
  (frame: Buffer) => decodeUp(frame, 'v1'),
  (frame: Buffer) => decodeUp(frame, 'v2'),
  (frame: Buffer) => decodeDown(frame, 'v1'),
  (frame: Buffer) => decodeDown(frame, 'v2'),
]

/** Counts the members that every object inherits; nothing from a peer may add to them. */
const inherited = () => Reflect.ownKeys(Object.prototype).length + Reflect.ownKeys(Array.prototype).length

test('[WIRE.4] readers throw for no bytes, leave prototypes alone, and accept single objects only', () => {
  const before = inherited()
  fc.assert(
    fc.property(anyFrame, (frame) => {
      const copy = Buffer.from(frame)
      const members = objectMembers(frame)
      isJson(frame)
      for (const read of READERS) {
        const decoded = read(frame)
        if (members === undefined) expect(decoded).toMatchObject({ ok: false, code: 'message_invalid' })
        if (decoded.ok) expect(Object.getPrototypeOf(decoded.message)).toBe(Object.prototype)
        else expect(['message_invalid', 'message_type_unknown']).toContain(decoded.code)
      }
      expect(frame.equals(copy)).toBe(true)
    }),
    { numRuns: 4_000 },
  )
  expect(inherited()).toBe(before)
})

test('[JSON.4] takes far less than 256 times as long for sixteen times the bytes', () => {
  const readingMs = (frame: Buffer): number => {
    // Processor time of this thread: a busy machine adds nothing to it.
    const start = process.threadCpuUsage()
    for (const read of READERS) read(frame)
    isJson(frame)
    const { user, system } = process.threadCpuUsage(start)
    return (user + system) / 1_000
  }
  for (const parts of REPEATED) {
    const [small, large] = [repeated(parts, 65_536), repeated(parts, 16 * 65_536)]
    const smallMs = Math.max(0.5, Math.min(...[1, 2, 3].map(() => readingMs(small))))
    // Quadratic growth shows each time, garbage collection does not.
    const isLinear = [1, 2, 3].some(() => readingMs(large) / smallMs < 16 * 6)
    expect(isLinear, parts.join('…')).toBe(true)
  }
})

const ATTACKERS = 48

async function fuzzedBridge() {
  const system = realSystem()
  const users = Array.from({ length: ATTACKERS }, (_, number) => user(`attacker${number}`))
  const tokens = createTokens(SECRET, memoryUsers([user('ann'), user('bob'), ...users]), system)
  const noLimit = {
    inAll: 1_000,
    perAddress: 1_000,
    perUser: 1_000,
    handshakes: 1_000,
    handshakeWindowMs: 1_000,
  }
  const faults: SecurityEvent[] = []
  const securityLog = callbackLog((event) => {
    if (event.event === 'ws_error' && event.error?.startsWith('internal_error')) faults.push(event)
  })
  const at = await startBridge({
    system,
    securityLog,
    authenticator: tokens,
    connectionLimits: noLimit,
    addressFailures: { failures: 1_000_000, windowMs: 1_000, blockMs: 1_000 },
  })
  return { at, faults }
}

/** Waits until earlier frames are handled, or the socket is closed. */
async function dealtWith({ socket, closed }: Peer): Promise<void> {
  if (socket.readyState !== socket.OPEN) return void (await closed)
  const pong = new Promise<void>((resolve) => socket.once('pong', () => resolve()))
  socket.ping()
  await Promise.race([pong, closed])
}

const STATES = ['challenging', 'ready', 'ready v2', 'waiting'] as const

test('[WS.4] [STATE.4] survives any frames in any state, and serves honest peers', async () => {
  const { at, faults } = await fuzzedBridge()
  const bob = await verifiedPeer(at, await at.token('bob'), { v2: true })
  const before = inherited()
  const batches = fc.sample(fc.array(anyFrame, { minLength: 25, maxLength: 25 }), ATTACKERS)
  for (const [number, frames] of batches.entries()) {
    const name = `attacker${number}`
    const state = STATES[number % STATES.length]
    const issued = await at.token(name)
    const peer =
      state === 'challenging'
        ? dial(at, { token: issued.accessToken })
        : await verifiedPeer(at, issued, { v2: state !== 'ready' })
    if (state === 'challenging') await peer.next('challenge')
    const waiting = state === 'waiting' ? at.bridge.callTool(`user_${name}`, 's', 't') : undefined
    const ended = waiting?.then(
      () => 'ended',
      () => 'ended',
    )
    for (const frame of frames)
      if (peer.socket.readyState === peer.socket.OPEN) peer.socket.send(frame, { binary: false })
    await dealtWith(peer)
    peer.socket.terminate()
    await peer.closed
    if (ended !== undefined) expect(await ended).toBe('ended')
  }
  expect(inherited()).toBe(before)
  expect(faults).toEqual([])
  await expectServed(at, bob)
})

test('[WS.4] serves other peers whatever bytes arrive on a TCP connection, before and after the challenge', async () => {
  const { at, faults } = await fuzzedBridge()
  const bob = await verifiedPeer(at, await at.token('bob'), { v2: true })
  for (const [number, wire] of fc
    .sample(fc.array(anyWireBytes, { minLength: 3, maxLength: 6 }), ATTACKERS)
    .entries()) {
    const issued = await at.token(`attacker${number}`)
    const peer = number % 2 === 0 ? dial(at, { token: issued.accessToken }) : await verifiedPeer(at, issued)
    if (number % 2 === 0) await peer.next('challenge')
    if (number % 3 === 0) peer.socket.close()
    const tcp = (peer.socket as unknown as { _socket: import('node:net').Socket })._socket
    for (const bytes of wire) tcp.write(bytes)
    await new Promise<void>((resolve) => tcp.end(resolve))
    peer.socket.terminate()
    await peer.closed
  }
  expect(faults).toEqual([])
  await expectServed(at, bob)
})

async function expectServed(at: Awaited<ReturnType<typeof startBridge>>, bob: Peer): Promise<void> {
  const called = at.bridge.callTool('user_bob', 's', 't', { n: 1 })
  await answerNext(bob, { content: [], n: 2 })
  expect(await called).toEqual({ content: [], n: 2 })
  await verifiedPeer(at, await at.token('ann'))
}
