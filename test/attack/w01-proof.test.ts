import { randomInt } from 'node:crypto'
import { expect, test, vi } from 'vitest'
import { World } from '../../packages/bridge/test/support/connections-world.ts'
import {
  type Algorithm,
  type Changes,
  challengedDevice,
  type DeviceBridge,
  isCountersigned,
  makeKey,
  prove,
  provenDevice,
  startDeviceBridge,
  type TestDevice,
} from '../support/devices.ts'
import { attackersKeys, forgery, type Loot } from '../support/forgeries.ts'
import { dial, type Message, type Peer } from '../support/peer.ts'
import { Recorded } from '../support/recorded.ts'

const TRIES_OVER_SOCKETS = 300
const TRIES = 5_000
const AT_ONCE = 16
const REFUSED = { code: 1008, reason: 'proof_failed' }

test.each(['Ed25519', 'ES256'] as const)(
  '[PROOF.3] [PROOF.12] accepts the proof of a device with a key of %s, and countersigns it',
  async (algorithm) => {
    const at = await startDeviceBridge()
    const device = await at.enrol('ann', algorithm)
    const { peer, challenge } = await challengedDevice(at, device)
    const made = prove(device, challenge, at.url)
    peer.send({ type: 'challenge_response', proof: made.proof })
    expect(isCountersigned(at.key, made, await peer.next('challenge_verified'))).toBe(true)
    device.previous = made.connectionId
    await provenDevice(at, device)
    expect(await peer.closed).toEqual({ code: 4509, reason: 'connection_replaced' })
  },
)

/** An attacker who recorded a device's connection and renewal, and has its token, but not its key. */
async function looted(at: DeviceBridge, device: TestDevice): Promise<Loot> {
  const recorded = []
  for (let n = 0; n < 5; n++) {
    const { peer, challenge } = await challengedDevice(at, device)
    const made = prove(device, challenge, at.url)
    peer.send({ type: 'challenge_response', proof: made.proof })
    recorded.push({ challenge, made, verified: await peer.next('challenge_verified') })
    device.previous = made.connectionId
  }
  const ownKeys = attackersKeys()
  return { device, deviceKeyId: device.key.public.keyId, recorded, ownKeys, url: at.url }
}

/**
 * Dials from a separate address each time: after three failures the user's challenges are locked at an
 * address.
 */
function dialFrom(at: DeviceBridge, { accessToken }: TestDevice, number: number): Peer {
  const address = `2001:db8:${(number >> 16).toString(16)}:${(number & 0xffff).toString(16)}::1`
  const headers = { authorization: `Bearer ${accessToken}`, 'x-forwarded-for': address }
  return dial(at, { v2: true, socketOptions: { headers } })
}

/** @returns how the bridge answered: the type of its message and the code, or how it closed */
async function attempt(peer: Peer, make: (challenge: Message) => object): Promise<string> {
  const challenge = await peer.next('challenge')
  const said = new Promise<string>((resolve) =>
    peer.socket.once('message', (data) => {
      const { type, error } = JSON.parse(String(data)) as Message
      resolve(`${type} ${error}`)
    }),
  )
  peer.send(make(challenge))
  const answer = await Promise.race([said, peer.closed.then(({ code, reason }) => `${code} ${reason}`)])
  peer.socket.terminate()
  return answer
}

test.each<Algorithm>(['Ed25519', 'ES256'])(
  '[PROOF.3] W01: refuses 300 forgeries from the token and all recorded traffic over sockets, with a key of %s',
  { timeout: 240_000 },
  async (algorithm) => {
    const at = await startDeviceBridge({ trustedProxies: ['127.0.0.1'] })
    const device = await at.enrol('ann', algorithm)
    const loot = await looted(at, device)
    const answers = new Set<string>()
    let number = 0
    const tryOn = async (): Promise<void> => {
      while (number < TRIES_OVER_SOCKETS) {
        const peer = dialFrom(at, device, ++number)
        answers.add(await attempt(peer, (challenge) => forgery(loot, challenge, (below) => randomInt(below))))
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, tryOn))
    expect([...answers].sort()).toEqual([
      '1008 proof_failed',
      'error challenge_required',
      'error message_invalid',
    ])
    await provenDevice(at, device)
  },
)

test.each<Algorithm>(['Ed25519', 'ES256'])(
  '[PROOF.3] W01: refuses 5,000 such forgeries without a network, with a key of %s',
  { timeout: 240_000 },
  async (algorithm) => {
    const at = await startDeviceBridge()
    const device = await at.enrol('ann', algorithm)
    const loot = await looted(at, device)
    const world = new World()
    const outcomes = new Set<string>()
    for (let n = 0; n < TRIES; n++) {
      const { connection, socket } = world.connectDevice(device, at.key, at.url)
      const [challenge] = socket.sent as readonly Message[]
      const made = forgery(loot, challenge as Message, (below) => randomInt(below))
      connection.receive(Buffer.from(JSON.stringify(made)), false)
      await Promise.resolve()
      outcomes.add(socket.closedWith ?? String(socket.sent.at(-1)?.error))
      connection.drain()
    }
    expect([...outcomes].sort()).toEqual(['1008 proof_failed', 'challenge_required', 'message_invalid'])
    expect(world.ready.size).toBe(0)

    const { connection, socket } = world.connectDevice(device, at.key, at.url)
    const { proof } = prove(device, socket.sent[0] as Message, at.url)
    connection.receive(Buffer.from(JSON.stringify({ type: 'challenge_response', proof })), false)
    await vi.waitFor(() => expect(world.ready.size).toBe(1))
  },
)

const other = Buffer.alloc(32, 1)
const CHANGES: Readonly<Record<string, Changes>> = {
  'its purpose': { purpose: 'renew' },
  'the subprotocols that were offered': { offeredSubprotocols: 'bridgekeeper.v1, bridgekeeper.v2' },
  'the origin': { origin: 'https://bridge.example.net' },
  'the path': { path: '/api/mcp-ws/' },
  'the connection': { connectionId: 'another' },
  'the challenge': { challenge: other },
  'the user': { userId: 'user_bob' },
  'the session': { sessionId: 'another' },
  'the device': { deviceId: 'another' },
  'the generation of the key': { generation: 2 },
  'the key of the bridge': { bridgeKeyId: 'another' },
  'the token': { tokenHash: other },
  'the type of the binding': { bindingType: 'tls-exporter' },
  'the value of the binding': { bindingValue: other },
}

test.each(Object.entries(CHANGES))(
  '[PROOF.3] W01: refuses a proof with another value for %s',
  async (_what, changes) => {
    const recorded = new Recorded()
    const at = await startDeviceBridge({ securityLog: recorded.securityLog })
    const device = await at.enrol('ann')
    const { peer, challenge } = await challengedDevice(at, device)
    peer.send({ type: 'challenge_response', proof: prove(device, challenge, at.url, changes).proof })
    expect(await peer.closed).toEqual(REFUSED)
    expect(recorded.named('ws_challenge_verification_failed')).toMatchObject([
      { reason: 'proof_failed', check: 'signature', userId: 'user_ann' },
    ])
  },
)

test.each([
  ['nonce', Buffer.alloc(32, 2).toString('base64url')],
  ['previous', 'another'],
  ['keyId', Buffer.alloc(32, 3).toString('base64url')],
])('[PROOF.3] W01: refuses a proof whose %s was changed on the way', async (member, value) => {
  const at = await startDeviceBridge()
  const device = await at.enrol('ann')
  const { peer, challenge } = await challengedDevice(at, device)
  const { proof } = prove(device, challenge, at.url)
  peer.send({ type: 'challenge_response', proof: { ...proof, [member]: value } })
  expect(await peer.closed).toEqual(REFUSED)
})

test('[PROOF.3] W02: refuses a proof of one connection on another', async () => {
  const at = await startDeviceBridge()
  const device = await at.enrol('ann')
  const { made, peer } = await provenDevice(at, device)
  const open = await challengedDevice(at, device)
  const replay = await challengedDevice(at, device)
  replay.peer.send({ type: 'challenge_response', proof: made.proof })
  expect(await replay.peer.closed).toEqual(REFUSED)

  const swapped = await challengedDevice(at, device)
  swapped.peer.send({ type: 'challenge_response', proof: prove(device, open.challenge, at.url).proof })
  expect(await swapped.peer.closed).toEqual(REFUSED)
  peer.send({ type: 'ping' })
  await peer.next('pong')
})

test('[CHAL.6] W04: locks the user at an address after three wrong proofs, and closes open challenges', async () => {
  const at = await startDeviceBridge()
  const device = await at.enrol('ann')
  const open = await challengedDevice(at, device)
  for (let n = 0; n < 3; n++) {
    const { peer, challenge } = await challengedDevice(at, device)
    peer.send({ type: 'challenge_response', proof: prove(device, challenge, 'https://evil.example').proof })
    await peer.closed
  }
  expect(await open.peer.closed).toEqual({ code: 1008, reason: 'challenge_locked' })
})

test('[PROOF.5] accepts a rotated key until it retires, and its successor at once', async () => {
  const at = await startDeviceBridge()
  const device = await at.enrol('ann')
  const old = device.key
  const next = makeKey(2)
  expect(await at.devices.rotate(device.deviceId, next.public, Date.now() + 60_000)).toBe(true)
  await provenDevice(at, device)
  device.key = next
  await provenDevice(at, device)

  const third = makeKey(3)
  await at.devices.rotate(device.deviceId, third.public, Date.now() - 1)
  Object.assign(device, { key: third, accessToken: at.tokenFor(Object.assign(device, { key: third })) })
  await provenDevice(at, device)
  for (const retired of [old, next]) {
    const { peer, challenge } = await challengedDevice(at, device)
    device.key = retired
    peer.send({ type: 'challenge_response', proof: prove(device, challenge, at.url).proof })
    device.key = third
    expect(await peer.closed).toEqual(REFUSED)
  }
})

test('[PROOF.5] W01: refuses a retired key, also with an unbound token', async () => {
  const at = await startDeviceBridge()
  const device = await at.enrol('ann')
  at.tokens.unbind(device.accessToken)
  await provenDevice(at, device)
  await at.devices.rotate(device.deviceId, makeKey(2).public, Date.now() - 1)
  const { peer, challenge } = await challengedDevice(at, device)
  peer.send({ type: 'challenge_response', proof: prove(device, challenge, at.url).proof })
  expect(await peer.closed).toEqual(REFUSED)
})

test('[PROOF.5] refuses the right key under the number of another generation', async () => {
  const at = await startDeviceBridge()
  const device = await at.enrol('ann')
  await at.devices.rotate(device.deviceId, makeKey(2).public, Date.now() + 60_000)
  const { peer, challenge } = await challengedDevice(at, device)
  peer.send({ type: 'challenge_response', proof: prove(device, challenge, at.url, { generation: 2 }).proof })
  expect(await peer.closed).toEqual(REFUSED)
})
