import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import {
  agentSigned,
  bridgeSigned,
  type DownMessage,
  type TranscriptFacts,
  thumbprint,
  transcript,
} from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { selfSigned } from '../../../test/support/certificates.ts'
import { AgentError } from '../src/errors.ts'
import type { DeviceIdentity } from '../src/link/device-identity.ts'
import { FakeBridge, type Frame, type Manners } from './support/bridge.ts'
import { runLink, tokenOf } from './support/linked.ts'
import { until } from './support/until.ts'

const bridgeKey = generateKeyPairSync('ed25519')
const deviceKey = generateKeyPairSync('ed25519')
const keyIdOf = (key: KeyObject) => thumbprint(key.export({ format: 'jwk' }))
const BRIDGE_KEY_ID = keyIdOf(bridgeKey.publicKey)

function device(changes: Partial<DeviceIdentity> = {}): DeviceIdentity & { readonly signed: Buffer[] } {
  const signed: Buffer[] = []
  return {
    ...{ deviceId: 'd', userId: 'user', sessionId: 'session', generation: 1, previous: 'before' },
    keyId: keyIdOf(deviceKey.publicKey),
    bridgeKeys: [bridgeKey.publicKey.export({ format: 'jwk' })],
    sign(bytes) {
      signed.push(bytes)
      return sign(null, bytes, deviceKey.privateKey)
    },
    remember: async () => {},
    ...changes,
    signed,
  }
}

function challenge(changes: object = {}, text = randomBytes(32).toString('hex')): DownMessage {
  const proof = { connectionId: 'c1', keyId: BRIDGE_KEY_ID, binding: 'none' as const, ...changes }
  return { type: 'challenge', challenge: text, expiresIn: 30_000, proof }
}

/** The answer of an honest bridge to a proof: it derives the signed text from its own facts. */
function countersigned(me: ReturnType<typeof device>, key = bridgeKey.privateKey) {
  return (answer: Frame): DownMessage => {
    const { signature } = answer.proof as { signature: string }
    // The text is behind the label and two lengths.
    const text = me.signed.at(-1)?.subarray(4 + 'agent'.length + 4) ?? Buffer.alloc(0)
    const bytes = bridgeSigned(text, Buffer.from(signature, 'base64url'))
    return { type: 'challenge_verified', proof: { signature: sign(null, bytes, key).toString('base64url') } }
  }
}

async function linked(me: ReturnType<typeof device>, manners: Partial<Manners> = {}) {
  const bridge = await FakeBridge.start({ greets: challenge(), verifies: countersigned(me), ...manners })
  const made = runLink(bridge.url, { device: () => me })
  return { bridge, ...made }
}

test('[LINK.28] signs the facts that this machine knows, and continues once the bridge countersigns', async () => {
  const me = device()
  const text = 'ab'.repeat(32)
  const { bridge, event } = await linked(me, { greets: challenge({}, text) })
  const { proof } = (await (await bridge.peer()).frame('challenge_response')) as unknown as {
    proof: { nonce: string; previous: string; keyId: string }
  }
  const facts: TranscriptFacts = {
    ...{ purpose: 'connect', offeredSubprotocols: 'bridgekeeper.v2', path: '/api/mcp-ws' },
    ...{ connectionId: 'c1', userId: 'user', sessionId: 'session', deviceId: 'd', generation: 1 },
    origin: bridge.url.replace('ws:', 'http:').replace('/api/mcp-ws', ''),
    challenge: Buffer.from(text, 'hex'),
    nonce: Buffer.from(proof.nonce, 'base64url'),
    keyId: me.keyId,
    bridgeKeyId: BRIDGE_KEY_ID,
    tokenHash: createHash('sha256').update(tokenOf()).digest(),
    bindingType: 'none',
    bindingValue: Buffer.alloc(0),
    previous: 'before',
  }
  expect(me.signed).toEqual([agentSigned(transcript(facts))])
  expect(proof).toMatchObject({ previous: 'before', keyId: me.keyId })
  expect(await event('verified')).toMatchObject({ version: 'v2' })
})

const other = generateKeyPairSync('ed25519')
const ONE_CALL = { type: 'tool_execute', id: '1', serverName: 'server', toolName: 'tool', args: {} } as const

test.each<[string, (me: ReturnType<typeof device>) => Manners['verifies']]>([
  ['nothing', () => true],
  ['with a different key', (me) => countersigned(me, other.privateKey)],
  [
    'something else',
    () => () => {
      const signature = sign(null, randomBytes(64), bridgeKey.privateKey).toString('base64url')
      return { type: 'challenge_verified', proof: { signature } }
    },
  ],
])('[LINK.28] runs nothing for a bridge that countersigns %s', async (_how, verifies) => {
  const me = device()
  const { bridge, tools, ended } = await linked(me)
  bridge.manners.verifies = false
  const peer = await bridge.peer()
  const answer = await peer.frame('challenge_response')
  const words = verifies(me)
  peer.send(typeof words === 'function' ? words(answer) : { type: 'challenge_verified' })
  peer.send(ONE_CALL)
  expect(await ended).toMatchObject({ code: 'bridge_not_recognised' })
  expect(tools.calls).toEqual([])
  expect(peer.all('catalog')).toEqual([])
})

test.each<[string, DownMessage]>([
  ['another key', challenge({ keyId: keyIdOf(other.publicKey) })],
  ['a missing TLS connection', challenge({ binding: 'tls-exporter' })],
  ['an invalid challenge', challenge({}, 'abc')],
])('[LINK.28] signs nothing for a bridge that names %s', async (_what, greets) => {
  const me = device()
  const { bridge, ended } = await linked(me, { greets })
  expect(await ended).toMatchObject({
    code: 'bridge_not_recognised',
    next: expect.stringContaining('Nothing was run'),
  })
  expect(me.signed).toEqual([])
  expect(bridge.peers[0]?.all('challenge_response')).toEqual([])
})

test('[LINK.29] disconnects from a bridge that asks for the echo only, without an answer', async () => {
  const me = device()
  const { bridge, ended } = await linked(me, {
    greets: { type: 'challenge', challenge: 'abc', expiresIn: 1 },
  })
  expect(await ended).toMatchObject({ code: 'bridge_downgraded' })
  expect(bridge.peers[0]?.all('challenge_response')).toEqual([])
})

test('[LINK.29] disconnects from a bridge that speaks v1 only, as after v2 was removed from the offer', async () => {
  const { bridge, ended } = await linked(device(), { speaks: 'v1' })
  expect(await ended).toMatchObject({ code: 'bridge_downgraded' })
  expect(bridge.peers).toHaveLength(1)
})

test('[LINK.29] disconnects when it is asked for the echo later', async () => {
  const { bridge, ended, event } = await linked(device())
  await event('verified')
  const peer = await bridge.peer()
  peer.send({ type: 'challenge', challenge: 'abc', expiresIn: 1 })
  expect(await ended).toMatchObject({ code: 'bridge_downgraded' })
  expect(peer.all('challenge_response')).toHaveLength(1)
})

test('[LINK.29] ends an unenrolled agent that is asked for a proof', async () => {
  const bridge = await FakeBridge.start({ greets: challenge() })
  const { ended } = runLink(bridge.url)
  expect(await ended).toMatchObject({ code: 'proof_required' })
})

test('[LINK.30] delays an immediate call until the connection is recorded', async () => {
  let putDown = (): void => {}
  const remembered: string[] = []
  const me = device({
    remember: (connectionId) => {
      remembered.push(connectionId)
      return new Promise((resolve) => (putDown = resolve))
    },
  })
  const { bridge, tools, event } = await linked(me)
  const peer = await bridge.peer()
  await peer.frame('challenge_response')
  peer.send(ONE_CALL)
  peer.send({ type: 'tool_cancel', id: '0' })
  await until(() => remembered[0])
  peer.send(challenge())
  await peer.frame('challenge_response', 2)
  expect(tools.calls).toEqual([])
  expect(peer.all('catalog')).toEqual([])
  putDown()
  expect(await peer.result('1')).toMatchObject({ success: true })
  expect(remembered).toEqual(['c1'])
  peer.socket.terminate()
  expect(await event('disconnected')).toMatchObject({ ignoredFrames: 0 })
})

test('[LINK.14] skips and counts a confirmation that answers no proof', async () => {
  const { bridge, event } = await linked(device())
  await event('verified')
  const peer = await bridge.peer()
  peer.send({ type: 'challenge_verified' })
  peer.send({ type: 'ping' })
  await peer.frame('pong')
  peer.socket.terminate()
  expect(await event('disconnected')).toMatchObject({ ignoredFrames: 1 })
})

test('[LINK.28] binds the TLS connection', async () => {
  const me = device()
  const verifies = countersigned(me)
  const bridge = await FakeBridge.start(
    { greets: challenge({ binding: 'tls-exporter' }), verifies },
    selfSigned(),
  )
  const { event } = runLink(bridge.url, { device: () => me })
  await event('verified')
  const { socket } = (await bridge.peer()).request
  const exporter = (socket as TLSSocket).exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
  expect(me.signed[0]?.includes(exporter)).toBe(true)
})

test('[LINK.33] drops a bridge that sends more than 16 MiB before the connection is recorded', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const made = await linked(device({ remember: () => promise }))
  const { bridge, tools, event } = made
  const peer = await bridge.peer()
  await peer.frame('challenge_response')
  for (let i = 0; i < 17; i++) peer.execute(String(i), 'tool', { x: 'x'.repeat(1_000_000) })
  expect(await event('disconnected')).toMatchObject({
    reason: 'The bridge sends messages faster than the agent can process them.',
  })
  const { exchanges, events, system } = made
  resolve()
  await system.advance(0)
  expect([tools.calls, exchanges.send]).toEqual([[], undefined])
  expect(events.map(({ type }) => type)).not.toContain('verified')
})

test('[LINK.30] drops and retries a connection that it cannot record', async () => {
  let isFull = true
  const me = device({
    remember: () => (isFull ? Promise.reject(new Error('disk full')) : Promise.resolve()),
  })
  const { bridge, tools, event, system } = await linked(me)
  const peer = await bridge.peer()
  await peer.frame('challenge_response')
  peer.send(ONE_CALL)
  expect(await event('disconnected')).toMatchObject({
    reason: 'This machine could not prove its key, or could not store the identity of the bridge.',
  })
  expect(tools.calls).toEqual([])
  isFull = false
  await system.advance(30_000)
  await event('verified')
})

test('[LINK.30] ends the agent with an AgentError of the machine itself', async () => {
  const gone = new AgentError('token_unreadable', 'The key is gone.')
  const me = device({ sign: () => Promise.reject(gone) })
  expect(await (await linked(me)).ended).toBe(gone)
})

/** A token that is valid for 12 seconds by its claims, so that it is replaced after 9; the number makes it unique. */
const shortToken = (nowMs: number, n: number) => {
  const iat = Math.floor(nowMs / 1_000)
  return tokenOf({ sub: 'user', sid: 'session', iat, exp: iat + 12, n })
}
const hashIn = (signed: Buffer | undefined, token: string) =>
  signed?.includes(createHash('sha256').update(token).digest()) ?? false

type Verdict = 'taken' | 'token_invalid' | 'message_too_large' | 'a_later_code'

async function refreshing(verdicts: readonly Verdict[]) {
  const me = device()
  const tokens: string[] = []
  const bridge = await FakeBridge.start({ greets: challenge(), verifies: countersigned(me) })
  const made = runLink(bridge.url, {
    device: () => me,
    token: () => {
      tokens.push(shortToken(made.system.nowMs(), tokens.length))
      return tokens.at(-1) ?? ''
    },
  })
  await made.event('verified')
  const peer = await bridge.peer()
  for (const [n, verdict] of verdicts.entries()) {
    const isRefused = n > 0 && verdicts[n - 1] !== 'taken'
    await made.system.advance(isRefused ? 15_000 : 9_000)
    await peer.frame('reauthenticate', n + 1)
    if (verdict === 'taken') {
      peer.send(challenge())
      await peer.frame('challenge_response', peer.all('challenge_response').length + 1)
    } else peer.send({ type: 'error', error: verdict })
    peer.send({ type: 'ping' })
    await until(() => peer.all('pong')[n])
  }
  return { ...made, bridge, me, tokens, peer }
}

test('[LINK.31] sends a fresh token before the current one expires, and binds it in the next proof', async () => {
  const { bridge, me, tokens, peer, events } = await refreshing(['taken', 'taken'])
  expect(tokens).toHaveLength(3)
  expect(peer.all('reauthenticate').map(({ token }) => token)).toEqual(tokens.slice(1))
  expect(me.signed.map((signed, n) => hashIn(signed, tokens[n] ?? ''))).toEqual([true, true, true])
  expect(bridge.peers).toHaveLength(1)
  expect(events.filter(({ type }) => type === 'disconnected')).toEqual([])
})

test('[LINK.31] keeps the current token when the bridge refuses a fresh one, and retries soon', async () => {
  const { me, tokens, peer } = await refreshing(['token_invalid', 'taken'])
  expect(peer.all('reauthenticate')).toHaveLength(2)
  expect(hashIn(me.signed.at(-1), tokens[2] ?? '')).toBe(true)
  peer.send(challenge())
  await peer.frame('challenge_response', 3)
  expect(hashIn(me.signed.at(-1), tokens[2] ?? '')).toBe(true)
})

test('[LINK.31] binds the token that the bridge accepted last after a refusal', async () => {
  const { me, tokens, peer } = await refreshing(['token_invalid'])
  peer.send(challenge())
  await peer.frame('challenge_response', 2)
  expect(hashIn(me.signed.at(-1), tokens[0] ?? '')).toBe(true)
})

test.each(['message_too_large', 'a_later_code'] as const)(
  '[LINK.31] keeps the fresh token after an error that does not refuse it: %s',
  async (code) => {
    const { me, tokens, peer } = await refreshing([code])
    peer.send(challenge())
    await peer.frame('challenge_response', 2)
    expect(hashIn(me.signed.at(-1), tokens[1] ?? '')).toBe(true)
  },
)
