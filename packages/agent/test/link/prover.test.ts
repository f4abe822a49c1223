import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { bridgeSigned, thumbprint, transcript } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import type { DeviceIdentity } from '../../src/link/device-identity.ts'
import { Prover } from '../../src/link/prover.ts'

const bridge = generateKeyPairSync('ed25519')
const stranger = generateKeyPairSync('ed25519')
const device = generateKeyPairSync('ed25519')
const keyIdOf = (key: KeyObject) => thumbprint(key.export({ format: 'jwk' }))
const BRIDGE_KEY_ID = keyIdOf(bridge.publicKey)
const MAX_OPEN = 4

type Challenge = Parameters<Prover['answer']>[0]

function setUp(changes: Partial<DeviceIdentity> = {}) {
  const signed: Buffer[] = []
  const identity: DeviceIdentity = {
    ...{ deviceId: 'd', userId: 'u', sessionId: 's', generation: 2, previous: 'before' },
    keyId: keyIdOf(device.publicKey),
    bridgeKeys: [stranger.publicKey.export({ format: 'jwk' }), bridge.publicKey.export({ format: 'jwk' })],
    sign: (bytes) => {
      signed.push(bytes)
      return sign(null, bytes, device.privateKey)
    },
    remember: async () => {},
    ...changes,
  }
  const prover = new Prover('wss://b.example/base/api/mcp-ws', 'token', () => identity)
  return { prover, identity, signed }
}

let count = 0
function challenge(changes: object = {}): Challenge {
  const text = (++count).toString(16).padStart(64, '0')
  const proof = { connectionId: `c${count}`, keyId: BRIDGE_KEY_ID, binding: 'none' as const, ...changes }
  return { type: 'challenge', challenge: text, expiresIn: 30_000, proof }
}

/** The signed text of an answer, as the bridge builds it from its own facts. */
function factsOf(asked: Challenge, frame: Buffer, changes: Partial<Parameters<typeof transcript>[0]> = {}) {
  const { proof } = JSON.parse(String(frame))
  const text = transcript({
    ...{ purpose: 'connect', offeredSubprotocols: 'bridgekeeper.v2', origin: 'https://b.example' },
    path: '/base/api/mcp-ws',
    connectionId: asked.proof?.connectionId ?? '',
    challenge: Buffer.from(asked.challenge, 'hex'),
    nonce: Buffer.from(proof.nonce, 'base64url'),
    ...{ userId: 'u', sessionId: 's', deviceId: 'd', generation: 2, previous: 'before' },
    keyId: keyIdOf(device.publicKey),
    bridgeKeyId: BRIDGE_KEY_ID,
    tokenHash: createHash('sha256').update('token').digest(),
    ...{ bindingType: 'none', bindingValue: Buffer.alloc(0) },
    ...changes,
  })
  const back = bridgeSigned(text, Buffer.from(proof.signature, 'base64url'))
  return sign(null, back, bridge.privateKey).toString('base64url')
}

test('[LINK.28] signs its facts, and recognizes a bridge that signed just those, once', async () => {
  const { prover } = setUp()
  const asked = challenge()
  const frame = await prover.answer(asked)
  expect(JSON.parse(String(frame))).toMatchObject({
    type: 'challenge_response',
    proof: { keyId: keyIdOf(device.publicKey), previous: 'before' },
  })
  const signature = factsOf(asked, frame)
  expect(prover.recognise(signature)).toMatchObject({
    connectionId: asked.proof?.connectionId,
    token: 'token',
  })
  expect(prover.recognise(signature)).toBeUndefined()
})

test('[LINK.28] treats later challenges as renewals, each with a fresh nonce', async () => {
  const { prover } = setUp()
  const nonces = new Set<string>()
  for (let time = 0; time < 3; time++) {
    const asked = challenge()
    const frame = await prover.answer(asked)
    nonces.add(JSON.parse(String(frame)).proof.nonce)
    const purpose = time === 0 ? 'connect' : 'renew'
    expect(prover.recognise(factsOf(asked, frame, { purpose }))).toMatchObject({
      connectionId: asked.proof?.connectionId,
    })
  }
  expect(nonces.size).toBe(3)
})

test.each<[string, Partial<Parameters<typeof transcript>[0]>]>([
  ['another origin', { origin: 'http://b.example' }],
  ['another path', { path: '/api/mcp-ws' }],
  ['another user', { userId: 'v' }],
  ['another token', { tokenHash: createHash('sha256').update('other').digest() }],
  ['another purpose', { purpose: 'renew' }],
])('[LINK.28] does not recognize a bridge that signed %s', async (_what, changes) => {
  const { prover } = setUp()
  const asked = challenge()
  const frame = await prover.answer(asked)
  expect(() => prover.recognise(factsOf(asked, frame, changes))).toThrow(
    expect.objectContaining({ code: 'bridge_not_recognised' }),
  )
  expect(() => prover.recognise(undefined)).toThrow(
    expect.objectContaining({ code: 'bridge_not_recognised' }),
  )
  // The proof is still open: an honest bridge may sign it.
  expect(prover.recognise(factsOf(asked, frame))).toBeDefined()
})

test('[LINK.28] discards earlier challenges with the answer to a later one, and keeps later ones', async () => {
  const { prover } = setUp()
  const [one, two, three] = [challenge(), challenge(), challenge()]
  const frames = await Promise.all([one, two, three].map((asked) => prover.answer(asked)))
  const signatures = [one, two, three].map((asked, n) => factsOf(asked, frames[n] ?? Buffer.alloc(0)))
  expect(prover.recognise(signatures[1])).toMatchObject({ connectionId: two.proof?.connectionId })
  expect(() => prover.recognise(signatures[0])).toThrow()
  expect(prover.recognise(signatures[2])).toMatchObject({ connectionId: three.proof?.connectionId })
  expect(prover.recognise(signatures[2])).toBeUndefined()
})

test('[LINK.28] allows four open challenges and ends at a fifth; answering them makes room for four more', async () => {
  const { prover } = setUp()
  for (let round = 0; round < 2; round++) {
    const waiting = Array.from({ length: MAX_OPEN }, () => prover.answer(challenge()))
    await Promise.all(waiting)
    await new Promise((resolve) => setImmediate(resolve))
  }
  for (let n = 0; n < MAX_OPEN; n++) void prover.answer(challenge())
  expect(() => prover.answer(challenge())).toThrow(
    expect.objectContaining({
      code: 'bridge_not_recognised',
      message: expect.stringContaining('It requested too many proofs.'),
    }),
  )
})

test('[LINK.28] forgets the oldest of more than four unconfirmed answers', async () => {
  const { prover } = setUp()
  const made: string[] = []
  for (let n = 0; n <= MAX_OPEN; n++) {
    const asked = challenge()
    made.push(factsOf(asked, await prover.answer(asked)))
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(() => prover.recognise(made[0])).toThrow()
  expect(prover.recognise(made[1])).toBeDefined()
})

test('[LINK.29] signs nothing for the echo, an unknown key, a foreign challenge or a missing binding', async () => {
  const { prover, signed } = setUp()
  const { proof: _none, ...echo } = challenge()
  await expect(prover.answer(echo as Challenge)).rejects.toMatchObject({ code: 'bridge_downgraded' })
  for (const strange of [
    challenge({ keyId: 'other' }),
    { ...challenge(), challenge: 'ab' },
    { ...challenge(), challenge: `${'0'.repeat(64)}x` },
    { ...challenge(), challenge: `x${'0'.repeat(64)}` },
  ])
    await expect(prover.answer(strange)).rejects.toMatchObject({ code: 'bridge_not_recognised' })
  await expect(prover.answer(challenge({ binding: 'tls-exporter' }))).rejects.toMatchObject({
    code: 'bridge_not_recognised',
    message: expect.stringContaining('Its challenge is bound to another TLS connection.'),
  })
  expect(signed).toEqual([])
  const curve = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' }
  const other = setUp({ bridgeKeys: [curve] })
  await expect(other.prover.answer(challenge({ keyId: thumbprint(curve) }))).rejects.toMatchObject({
    code: 'bridge_not_recognised',
  })
})

test('[LINK.28] binds the exporter of the TLS connection where the bridge asks for it', async () => {
  const { prover } = setUp()
  prover.exporter = Buffer.alloc(32, 9)
  const bound = challenge({ binding: 'tls-exporter' })
  const binding = { bindingType: 'tls-exporter', bindingValue: prover.exporter } as const
  expect(prover.recognise(factsOf(bound, await prover.answer(bound), binding))).toBeDefined()
  const plain = challenge()
  expect(prover.recognise(factsOf(plain, await prover.answer(plain), { purpose: 'renew' }))).toBeDefined()
})

test('[LINK.31] binds a token set later in the challenges that follow', async () => {
  const { prover } = setUp()
  const before = challenge()
  const answered = prover.answer(before)
  prover.token = 'fresh'
  const after = challenge()
  const tokenHash = createHash('sha256').update('fresh').digest()
  expect(prover.recognise(factsOf(before, await answered))).toMatchObject({ token: 'token' })
  expect(
    prover.recognise(factsOf(after, await prover.answer(after), { tokenHash, purpose: 'renew' })),
  ).toMatchObject({ token: 'fresh' })
})

test('[LINK.30] answers the next challenges after a failed answer', async () => {
  let isGone = true
  const { prover } = setUp()
  const { identity } = setUp()
  const failing = new Prover('ws://127.0.0.1:1/api/mcp-ws', 'token', () => {
    if (isGone) throw new Error('gone')
    return identity
  })
  for (let time = 0; time < 6; time++) {
    await expect(failing.answer(challenge())).rejects.toThrow('gone')
    await new Promise((resolve) => setImmediate(resolve))
  }
  isGone = false
  const asked = challenge()
  const plain = { origin: 'http://127.0.0.1:1', path: '/api/mcp-ws' }
  expect(failing.recognise(factsOf(asked, await failing.answer(asked), plain))).toBeDefined()
  expect(prover.recognise('x')).toBeUndefined()
})
