import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Device } from '@bridgekeeper/bridge'
import { expect, test } from 'vitest'
import WebSocket from 'ws'
import {
  type Changes,
  type DeviceBridgeOptions,
  isCountersigned,
  makeKey,
  prove,
  provenDevice,
  startDeviceBridge,
  type TestDevice,
} from '../support/devices.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { MemoryDevices } from '../support/memory-devices.ts'
import type { Closed, Message, Peer } from '../support/peer.ts'
import { Recorded } from '../support/recorded.ts'

const TEN_MINUTES = 600_000
const STEP_MS = 20_000
const DAY_MS = 86_400_000
const TOO_LATE = { code: 4408, reason: 'challenge_timeout' }
const hashOf = (token: string) => createHash('sha256').update(token).digest()

async function connected(options: DeviceBridgeOptions = {}) {
  const system = new FakeSystem()
  const recorded = new Recorded()
  const { securityLog } = recorded
  const at = await startDeviceBridge({ system, securityLog, callTimeoutMs: DAY_MS, ...options })
  const device = await at.enrol('ann')
  const { peer } = await provenDevice(at, device)
  const renew = (challenge: Message, changes: Changes = {}) => {
    const made = prove(device, challenge, at.url, { purpose: 'renew', ...changes })
    peer.send({ type: 'challenge_response', proof: made.proof })
    return made
  }
  /** Lets time pass in steps in which the bridge's pings are answered. */
  const pass = async (durationMs: number): Promise<void> => {
    for (let leftMs = durationMs; leftMs > 0; leftMs -= STEP_MS) {
      system.advance(Math.min(leftMs, STEP_MS))
      peer.socket.ping()
      await once(peer.socket, 'pong')
    }
  }
  /** Advances up to ten minutes. @returns the challenge; rejects if the connection ends instead */
  const due = async (): Promise<Message> => {
    await pass(TEN_MINUTES - 60_000)
    for (let n = 0; n < 60 && !peer.waiting.some(({ type }) => type === 'challenge'); n++) {
      system.advance(1_000)
      peer.socket.ping()
      await Promise.race([once(peer.socket, 'pong'), peer.closed])
    }
    return peer.next('challenge')
  }
  /** Lets time pass until the connection has ended. @returns how */
  const end = async (): Promise<Closed> => {
    for (let n = 0; n < 1_200 && peer.socket.readyState === WebSocket.OPEN; n++) {
      system.advance(1_000)
      peer.socket.ping()
      await Promise.race([once(peer.socket, 'pong'), peer.closed])
    }
    return peer.closed
  }
  return { system, recorded, at, device, peer, renew, pass, due, end }
}

async function alive(peer: Peer): Promise<void> {
  peer.send({ type: 'ping' })
  await peer.next('pong')
}

test('[PROOF.10] renews a device’s proof within ten minutes on the same connection, without interrupting a call', async () => {
  const { at, peer, renew, pass } = await connected()
  for (let n = 0; n < 3; n++) {
    await pass(TEN_MINUTES - 60_000)
    const running = at.bridge.callTool('user_ann', 's', 't')
    const asked = await peer.next('tool_execute')
    await pass(60_000)
    const challenge = await peer.next('challenge')
    expect(challenge).toMatchObject({ expiresIn: 30_000, proof: { binding: 'none' } })
    const made = renew(challenge)
    expect(isCountersigned(at.key, made, await peer.next('challenge_verified'))).toBe(true)
    peer.send({ type: 'tool_result', id: asked.id, success: true, result: { content: [], n } })
    expect(await running).toEqual({ content: [], n })
  }
})

test.each<[string, (device: TestDevice, challenge: Message, url: string) => object]>([
  [
    'with another key',
    (device, challenge, url) => {
      const copy = Object.assign(device.copy(), { key: makeKey() })
      return {
        proof: prove(copy, challenge, url, { purpose: 'renew', keyId: device.key.public.keyId }).proof,
      }
    },
  ],
  ['as for a new connection', (device, challenge, url) => ({ proof: prove(device, challenge, url).proof })],
  ['with the echo', () => ({ response: 'f'.repeat(64) })],
  [
    'for another challenge',
    (device, challenge, url) => ({
      proof: prove(device, { ...challenge, challenge: 'a'.repeat(64) }, url, { purpose: 'renew' }).proof,
    }),
  ],
])('[PROOF.10] closes the connection when a renewal is answered %s', async (_how, answer) => {
  const { recorded, at, device, peer, due } = await connected()
  const call = at.bridge.callTool('user_ann', 's', 't')
  const lost = expect(call).rejects.toMatchObject({ code: 'outcome_unknown' })
  const challenge = await due()
  peer.send({ type: 'challenge_response', ...answer(device, challenge, at.url) })
  expect(await peer.closed).toEqual({ code: 1008, reason: 'proof_failed' })
  await lost
  expect(recorded.named('proof_renewal_failed')).toMatchObject([{ reason: 'proof_failed' }])
})

test('[PROOF.10] closes the connection when a renewal is unanswered for 30 seconds, despite other messages', async () => {
  const { system, recorded, peer, due } = await connected()
  await due()
  system.advance(29_000)
  await alive(peer)
  system.advance(1_001)
  expect(await peer.closed).toEqual(TOO_LATE)
  expect(recorded.named('proof_renewal_failed')).toMatchObject([{ reason: 'challenge_timeout' }])
})

test('[PROOF.10] refuses a replayed renewal', async () => {
  const { peer, renew, due } = await connected()
  const made = renew(await due())
  await peer.next('challenge_verified')
  await due()
  peer.send({ type: 'challenge_response', proof: made.proof })
  expect(await peer.closed).toEqual({ code: 1008, reason: 'proof_failed' })
})

test('[PROOF.10] closes the connection of a revoked device at its next proof', async () => {
  const { at, device, peer, due } = await connected()
  await at.devices.revoke(device.deviceId, 0)
  await expect(due()).rejects.toThrow('closed while waiting')
  expect(await peer.closed).toEqual({ code: 4510, reason: 'device_unknown' })
})

/** A store that fails on request. */
class Unsteady extends MemoryDevices {
  isDown = false
  asked = 0

  override async find(deviceId: string): Promise<Device | undefined> {
    this.asked++
    if (this.isDown) throw new Error('down')
    return super.find(deviceId)
  }
}

test('[PROOF.10] retries a store that is down until the proof would be late', async () => {
  const devices = new Unsteady()
  const { system, peer, renew, pass } = await connected({ proof: { devices } })
  devices.isDown = true
  const tries = async (count: number): Promise<void> => {
    await pass(TEN_MINUTES - 60_000)
    while (devices.asked < count) await pass(1_000)
  }
  await tries(2)
  await alive(peer)
  devices.isDown = false
  system.advance(10_000)
  renew(await peer.next('challenge'))
  await peer.next('challenge_verified')

  devices.isDown = true
  await tries(4)
  await alive(peer)
  system.advance(30_001)
  expect(await peer.closed).toEqual(TOO_LATE)
})

/** A token that expires after 15 minutes, and a function that refreshes it. */
async function withShortToken() {
  const made = await connected()
  const { at, device, system, peer, renew } = made
  const lifetimeMs = 15 * 60_000
  const token = (changes = {}) =>
    at.tokenFor(device, { expiresAtMs: system.nowMs() + lifetimeMs, ...changes })
  const refresh = async (accessToken: string) => {
    peer.send({ type: 'reauthenticate', token: accessToken })
    const challenge = await peer.next('challenge')
    const proof = renew(challenge, { tokenHash: hashOf(accessToken) })
    Object.assign(device, { accessToken })
    return isCountersigned(at.key, proof, await peer.next('challenge_verified'))
  }
  expect(await refresh(token())).toBe(true)
  return { ...made, token, refresh }
}

test('[PROOF.11] extends the connection by a fresh token with a proof that binds it, without interrupting calls', async () => {
  const { at, peer, token, refresh, renew, device, due } = await withShortToken()
  for (let n = 0; n < 3; n++) {
    renew(await due(), { tokenHash: hashOf(device.accessToken) })
    await peer.next('challenge_verified')
    const call = at.bridge.callTool('user_ann', 's', 't')
    const { id } = await peer.next('tool_execute')
    expect(await refresh(token())).toBe(true)
    peer.send({ type: 'tool_result', id, success: true, result: { content: [], n } })
    expect(await call).toEqual({ content: [], n })
  }
})

test('[PROOF.11] closes the connection when its token expires without a fresh one', async () => {
  const { peer, renew, device, due, end } = await withShortToken()
  renew(await due(), { tokenHash: hashOf(device.accessToken) })
  await peer.next('challenge_verified')
  expect(await end()).toEqual({ code: 4401, reason: 'token_expired' })
})

test('[PROOF.11] refuses a proof that still binds the old token', async () => {
  const { peer, token, renew, device } = await withShortToken()
  peer.send({ type: 'reauthenticate', token: token() })
  renew(await peer.next('challenge'), { tokenHash: hashOf(device.accessToken) })
  expect(await peer.closed).toEqual({ code: 1008, reason: 'proof_failed' })
})

test.each([
  ['an unknown issuer', undefined, 'token_invalid'],
  ['another user', { userId: 'user_bob' }, 'token_invalid'],
  ['another session', { sessionId: 'another' }, 'token_invalid'],
  ['another device', { deviceId: 'another' }, 'token_invalid'],
  ['another resource', { resource: 'https://elsewhere.example/mcp' }, 'token_invalid'],
  ['a caller', { scopes: ['tools:list'] }, 'scope_insufficient'],
])(
  '[PROOF.11] refuses the token of %s, and does not extend the connection',
  async (_whose, changes, code) => {
    const { recorded, peer, token, renew, device, due, end } = await withShortToken()
    peer.send({ type: 'reauthenticate', token: changes === undefined ? 'nonsense' : token(changes) })
    expect(await peer.next('error')).toMatchObject({ error: code })
    await alive(peer)
    expect(recorded.named('proof_renewal_failed')).toMatchObject([{ reason: code }])
    renew(await due(), { tokenHash: hashOf(device.accessToken) })
    expect(await end()).toEqual({ code: 4401, reason: 'token_expired' })
  },
)

test('[PROOF.11] [MSG.4] closes a peer that sends token after token, in turn or at once', async () => {
  const patient = (await withShortToken()).peer
  // One of ten tries was valid.
  for (let n = 0; n < 9; n++) {
    patient.send({ type: 'reauthenticate', token: 'nonsense' })
    await patient.next('error')
  }
  patient.send({ type: 'reauthenticate', token: 'nonsense' })
  expect(await patient.closed).toMatchObject({ code: 4400 })

  const hasty = (await withShortToken()).peer
  for (let n = 0; n < 12; n++) hasty.send({ type: 'reauthenticate', token: 'nonsense' })
  expect(await hasty.closed).toMatchObject({ code: 4400 })
})

test('[PROOF.11] does not postpone the due proof for a new token', async () => {
  const { system, peer, due } = await withShortToken()
  await due()
  for (let n = 0; n < 2; n++) {
    peer.send({ type: 'reauthenticate', token: 'nonsense' })
    await peer.next('error')
    await peer.next('challenge')
    system.advance(14_000)
  }
  await alive(peer)
  system.advance(2_001)
  expect(await peer.closed).toEqual(TOO_LATE)
})

test('[PROOF.10] [PROOF.11] keeps the connection when a renewal and a new token cross on the way', async () => {
  const { at, peer, token, renew, device, due } = await withShortToken()
  const timed = await due()
  const next = token()
  // The token goes out before the renewal has come in: the answer to the latter no longer counts.
  peer.send({ type: 'reauthenticate', token: next })
  renew(timed, { tokenHash: hashOf(device.accessToken) })
  const binding = await peer.next('challenge')
  const made = renew(binding, { tokenHash: hashOf(next) })
  expect(isCountersigned(at.key, made, await peer.next('challenge_verified'))).toBe(true)
  await alive(peer)
})
