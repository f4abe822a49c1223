import { createHash, generateKeyPairSync } from 'node:crypto'
import {
  type Authenticator,
  callbackLog,
  createTokens,
  memoryRevocations,
  memoryUsers,
  type Principal,
  type Revocation,
  type SecurityEvent,
} from '@bridgekeeper/bridge'
import { expect, test } from 'vitest'
import { agentWith, answerNext } from '../support/agents.ts'
import { SECRET, startBridge, type TestBridge, user } from '../support/bridge.ts'
import { enrolIn, provenDevice } from '../support/devices.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { bearer, MCP_HEADERS, modernSubscription, post, toolCall } from '../support/mcp.ts'
import { MemoryDevices } from '../support/memory-devices.ts'
import { dial, verifiedPeer } from '../support/peer.ts'
import { frame, rawClient, rawUpgrade, tryUpgrade } from '../support/raw.ts'
import { Recorded } from '../support/recorded.ts'

const enrolled = new MemoryDevices()
const proof = { devices: enrolled, key: generateKeyPairSync('ed25519').privateKey }
const ENDED = { code: 4510, reason: 'login_revoked' }

/** Tokens are `userId/sessionId/deviceId`. Every one is accepted, as in an app without a store of logins. */
function lenient(): Authenticator {
  const authenticate = async (token: string) => {
    const [userId = '', sessionId = '', deviceId] = token.split('/')
    const device = deviceId === undefined ? {} : { deviceId }
    return {
      allowed: true as const,
      value: { userId, sessionId, expiresAtMs: Date.now() + 60_000, ...device },
    }
  }
  return { recall: () => undefined, authenticate }
}

async function peerOf(at: TestBridge, token: string) {
  const [userId = '', sessionId = '', deviceId] = token.split('/')
  if (deviceId !== undefined) {
    const device = await enrolIn(enrolled, { userId, sessionId, deviceId }, token)
    return (await provenDevice(at, device)).peer
  }
  return verifiedPeer(at, { accessToken: token, userId, sessionId, expiresAt: '' })
}

test.each<[Revocation['kind'], string]>([
  ['user', 'ann'],
  ['session', 'ann1'],
  ['device', 'laptop'],
])(
  '[REVOKE.1] [REVOKE.4] W09: revoking a %s closes its idle connection with 4510, and no other',
  async (kind, id) => {
    const at = await startBridge({ authenticator: lenient(), proof })
    const revoked = await peerOf(at, 'ann/ann1/laptop')
    const other = await peerOf(at, 'bob/bob1/desktop')
    const ofTheSameUser = await peerOf(at, 'ann/ann2/phone')
    await at.bridge.revoke({ kind, id })
    expect(await revoked.closed).toEqual(ENDED)
    if (kind === 'user') expect(await ofTheSameUser.closed).toEqual(ENDED)
    else {
      ofTheSameUser.send({ type: 'ping' })
      await ofTheSameUser.next('pong')
    }
    other.send({ type: 'ping' })
    await other.next('pong')
  },
)

test('[REVOKE.1] W09: closes a connection whose challenge is open', async () => {
  const at = await startBridge()
  const issued = await at.token('ann')
  const peer = dial(at, { token: issued.accessToken })
  await peer.next('challenge')
  await at.bridge.revoke({ kind: 'session', id: issued.sessionId })
  expect(await peer.closed).toEqual(ENDED)
})

test('[REVOKE.1] W09: cuts off a revoked agent that does not answer the close within a second, and ignores its messages', async () => {
  const system = new FakeSystem()
  const log = new Recorded()
  const at = await startBridge({ authenticator: lenient(), system, securityLog: log.securityLog })
  const client = await rawUpgrade(at, { token: 'ann/ann1' })
  const { challenge } = await client.message('challenge')
  await at.bridge.revoke({ kind: 'user', id: 'ann' })
  expect(await client.closing()).toEqual(ENDED)
  const response = createHash('sha256').update(`${challenge}annann1`).digest('hex')
  client.write(frame(JSON.stringify({ type: 'challenge_response', response })))
  // Answered after the frame was read, as both come over one loop in their order.
  await isAdmitted(at, 'bob/bob1')
  await expect(at.bridge.callTool('ann', 's', 't')).rejects.toMatchObject({ code: 'agent_offline' })
  expect(log.named('ws_challenge_verified')).toEqual([])
  expect(client.socket.closed).toBe(false)
  system.advance(1_000)
  await client.ended
})

test('[REVOKE.1] W09: fails a call on the revoked agent with outcome_unknown, and ignores its late answer', async () => {
  const at = await startBridge()
  const issued = await at.token('ann')
  const agent = await verifiedPeer(at, issued)
  const call = at.bridge.callTool('user_ann', 's', 't')
  const { id } = await agent.next('tool_execute')
  const revoked = at.bridge.revoke({ kind: 'session', id: issued.sessionId })
  agent.send({ type: 'tool_result', id, success: true, result: { content: [] } })
  await expect(call).rejects.toMatchObject({ code: 'outcome_unknown' })
  await revoked
  expect(await agent.closed).toEqual(ENDED)
})

test('[REVOKE.2] W09: answers a caller revoked during a call with 401 and no result, and cancels the call at the agent', async () => {
  const { at, agent, caller, answered, answer } = await midCall()
  await at.bridge.revoke({ kind: 'session', id: caller.sessionId })
  const id = answer()
  const { status, text, json } = await answered
  expect({ status, code: json.error.data.code }).toEqual({ status: 401, code: 'login_revoked' })
  expect(text).not.toContain('secret')
  expect((await agent.next('tool_cancel')).id).toBe(id)
  // The agent's own login is another, and stays open.
  const again = post(at, '/mcp', toolCall('s__t'), bearer((await at.token('ann')).accessToken))
  await answerNext(agent, { content: [] })
  expect((await again).status).toBe(200)
})

test('[REVOKE.2] W09: ends an open subscription of a revoked caller', async () => {
  const at = await startBridge()
  await agentWith(at, 'ann', 's', 't')
  const caller = await at.token('ann')
  const { body, headers } = modernSubscription()
  const response = await fetch(`${at.url}/mcp`, {
    method: 'POST',
    headers: { ...MCP_HEADERS, ...bearer(caller.accessToken), ...headers },
    body: JSON.stringify(body),
  })
  const reader = response.body?.getReader()
  expect((await reader?.read())?.value?.length).toBeGreaterThan(0)
  const rest = (async () => {
    while ((await reader?.read())?.done === false);
  })().catch(() => {})
  await at.bridge.revoke({ kind: 'session', id: caller.sessionId })
  await rest
})

/** A call in flight, of a caller whose login is not the agent's. */
async function midCall() {
  const at = await startBridge()
  const agent = await agentWith(at, 'ann', 's', 't')
  const caller = await at.token('ann')
  const answered = post(at, '/mcp', toolCall('s__t'), bearer(caller.accessToken))
  const { id } = await agent.next('tool_execute')
  const result = { content: [{ type: 'text', text: 'secret' }] }
  const answer = () => {
    agent.send({ type: 'tool_result', id, success: true, result })
    return id
  }
  return { at, agent, caller, answered, answer }
}

test('[REVOKE.2] W09: withholds a result that waits for the log when its caller is revoked', async () => {
  const held: (() => void)[] = []
  let holding = false
  const log = callbackLog(() => {})
  const securityLog = {
    ...log,
    afterWritten: (run: () => void) => void (holding ? held.push(run) : run()),
  }
  const at = await startBridge({ securityLog })
  const agent = await agentWith(at, 'ann', 's', 't')
  const caller = await at.token('ann')
  const answered = post(at, '/mcp', toolCall('s__t'), bearer(caller.accessToken))
  const { id } = await agent.next('tool_execute')
  holding = true
  agent.send({
    type: 'tool_result',
    id,
    success: true,
    result: { content: [{ type: 'text', text: 'secret' }] },
  })
  while (held.length === 0) await new Promise((resolve) => setImmediate(resolve))
  await at.bridge.revoke({ kind: 'session', id: caller.sessionId })
  holding = false
  for (const run of held) run()
  const { status, text } = await answered
  expect(status).toBe(401)
  expect(text).not.toContain('secret')
})

test('[REVOKE.2] W09: answers 401 to a revoked caller whose request body is incomplete, and closes the socket', async () => {
  const at = await startBridge()
  const { accessToken, userId } = await at.token('ann')
  const client = await rawClient(at.port)
  const head = ['POST /mcp HTTP/1.1', 'Host: 127.0.0.1', `Authorization: Bearer ${accessToken}`]
  client.write([...head, 'Content-Type: application/json', 'Content-Length: 100', '', '{'].join('\r\n'))
  while (!(await isAdmitted(at, accessToken))) await new Promise((resolve) => setImmediate(resolve))
  await at.bridge.revoke({ kind: 'user', id: userId })
  const { status, body } = await client.answer()
  expect({ status, revoked: body.includes('login_revoked') }).toEqual({ status: 401, revoked: true })
  await client.ended
})

/** A request that came after it was answered, so it has been admitted. */
async function isAdmitted(at: TestBridge, token: string): Promise<boolean> {
  return (await post(at, '/mcp', { jsonrpc: '2.0', id: 1, method: 'ping' }, bearer(token))).status === 200
}

test('[REVOKE.3] W09: refuses a login revoked between authentication and the handshake, at both doors', async () => {
  let verified = (): void => {}
  let go = (): void => {}
  const wait = async (token: string) => {
    const answer = await lenient().authenticate(token)
    verified()
    await new Promise<void>((resolve) => (go = resolve))
    return answer
  }
  const at = await startBridge({ authenticator: { recall: () => undefined, authenticate: wait } })
  for (const kind of ['user', 'session', 'device'] as const) {
    const ids = { user: `u${kind}`, session: `s${kind}`, device: `d${kind}` }
    const token = `${ids.user}/${ids.session}/${ids.device}`
    for (const knock of [
      () => tryUpgrade(at, { token }),
      () => post(at, '/mcp', toolCall('s__t'), bearer(token)),
    ]) {
      const reached = new Promise<void>((resolve) => (verified = resolve))
      const answered = knock()
      await reached
      await at.bridge.revoke({ kind, id: ids[kind] })
      go()
      expect((await answered).status).toBe(401)
    }
  }
})

test('[REVOKE.3] [REVOKE.4] W09: a late echo leaves a new login of a revoked user open, and another node’s next revocation ends it', async () => {
  const { revocations, tell } = lateRevocations()
  const at = await startBridge({ authenticator: lenient(), revocations })
  const old = await peerOf(at, 'ann/ann1')
  await at.bridge.revoke({ kind: 'user', id: 'ann' })
  expect(await old.closed).toEqual(ENDED)
  const fresh = await peerOf(at, 'ann/ann2')
  tell({ kind: 'user', id: 'ann' })
  fresh.send({ type: 'ping' })
  await fresh.next('pong')
  tell({ kind: 'user', id: 'ann' })
  expect(await fresh.closed).toEqual(ENDED)
})

/** Revocations that reach this node when the test says so, as from a database that is polled. */
function lateRevocations() {
  const { watch, behindMs, publish } = memoryRevocations()
  const tell = (revocation: Revocation) => void publish(revocation)
  return { revocations: { watch, behindMs, publish: async () => {} }, tell }
}

test('[REVOKE.5] W09: refuses a revoked session or device even though its token is still valid', async () => {
  const at = await startBridge({ authenticator: lenient() })
  await at.bridge.revoke({ kind: 'session', id: 'ann1' })
  await at.bridge.revoke({ kind: 'device', id: 'laptop' })
  for (const token of ['ann/ann1', 'ann/ann3/laptop']) {
    expect(await tryUpgrade(at, { token })).toMatchObject({ status: 401, code: 'login_revoked' })
    expect((await post(at, '/mcp', toolCall('s__t'), bearer(token))).status).toBe(401)
  }
  expect((await post(at, '/mcp', toolCall('s__t'), bearer('ann/ann2'))).status).toBe(200)
  // Nor do they count as attacks: twenty tries block no address.
  for (let tries = 0; tries < 20; tries++) await post(at, '/mcp', toolCall('s__t'), bearer('ann/ann1'))
  expect((await post(at, '/mcp', toolCall('s__t'), bearer('ann/ann2'))).status).toBe(200)
})

test('[REVOKE.1] [AUTH.8] W09: drops a cached token when its user is revoked', async () => {
  const system = new FakeSystem()
  const users = memoryUsers([user('ann')])
  const tokens = createTokens(SECRET, users, system)
  const at = await startBridge({ system, authenticator: tokens })
  const { accessToken } = await tokens.issue(user('ann'), 600_000)
  const mcp = () => post(at, '/mcp', toolCall('s__t'), bearer(accessToken))
  expect((await mcp()).status).toBe(200)
  await users.raiseTokenVersion('user_ann')
  await at.bridge.revoke({ kind: 'user', id: 'user_ann' })
  expect((await mcp()).status).toBe(401)
})

test('[REVOKE.1] W09: after a revocation, authenticates again if an authenticator still recalls the login', async () => {
  const principal: Principal = { userId: 'ann', sessionId: 'ann1', expiresAtMs: Date.now() + 60_000 }
  let isGone = false
  const authenticator: Authenticator = {
    recall: () => principal,
    authenticate: async () =>
      isGone ? { allowed: false, code: 'token_invalid' } : { allowed: true, value: principal },
  }
  const at = await startBridge({ authenticator })
  const mcp = () => post(at, '/mcp', toolCall('s__t'), bearer('t'))
  expect((await mcp()).status).toBe(200)
  isGone = true
  expect((await mcp()).status).toBe(200)
  await at.bridge.revoke({ kind: 'user', id: 'ann' })
  expect((await mcp()).json.error.data.code).toBe('token_invalid')
})

test('[REVOKE.6] W09: admits no new login while revocations are unreadable for over five seconds, and keeps open connections', async () => {
  let behindMs = 0
  const revocations = { ...memoryRevocations(), behindMs: () => behindMs }
  const at = await startBridge({ authenticator: lenient(), revocations })
  const agent = await peerOf(at, 'ann/ann1')
  const ready = async () => (await fetch(`${at.url}/readyz`)).status
  behindMs = 5_000
  expect(await ready()).toBe(200)
  expect((await tryUpgrade(at, { token: 'ann/ann2' })).status).toBe(101)
  behindMs = 5_001
  expect(await ready()).toBe(503)
  expect(await tryUpgrade(at, { token: 'ann/ann3' })).toMatchObject({ status: 500, code: 'internal_error' })
  expect((await post(at, '/mcp', toolCall('s__t'), bearer('ann/ann1'))).status).toBe(500)
  const call = at.bridge.callTool('ann', 's', 't')
  await answerNext(agent, { content: [] })
  await call
})

test('[REVOKE.7] W09: applies the revocations of other nodes, and its own even when publishing fails', async () => {
  const shared = memoryRevocations()
  const here = await startBridge({ authenticator: lenient(), revocations: shared })
  const there = await startBridge({ authenticator: lenient(), revocations: shared })
  const agent = await peerOf(here, 'ann/ann1')
  await there.bridge.revoke({ kind: 'session', id: 'ann1' })
  expect(await agent.closed).toEqual(ENDED)

  const { revocations, tell } = lateRevocations()
  const down = { ...revocations, publish: async () => Promise.reject(new Error('down')) }
  const alone = await startBridge({ authenticator: lenient(), revocations: down })
  const other = await peerOf(alone, 'ann/ann1')
  await expect(alone.bridge.revoke({ kind: 'user', id: 'ann' })).rejects.toThrow('down')
  expect(await other.closed).toEqual(ENDED)
  // The failed revocation has no echo: the next one of this user comes from another node.
  const fresh = await peerOf(alone, 'ann/ann2')
  tell({ kind: 'user', id: 'ann' })
  expect(await fresh.closed).toEqual(ENDED)
})

test('[REVOKE.8] W09: logs each revocation that ended something in one line', async () => {
  const events: SecurityEvent[] = []
  const at = await startBridge({
    authenticator: lenient(),
    securityLog: callbackLog((event) => events.push(event)),
  })
  const agent = await peerOf(at, 'ann/ann1')
  await at.bridge.revoke({ kind: 'user', id: 'ann' })
  await agent.closed
  expect(events.filter(({ event }) => event === 'login_revoked')).toEqual([
    { event: 'login_revoked', kind: 'user', id: 'ann', ended: 1 },
  ])
})

test('[REVOKE.1] [REVOKE.4] W09: in a storm of revocations, closes every revoked connection and keeps the others', async () => {
  const at = await startBridge({ authenticator: lenient(), proof })
  const peers = await Promise.all(
    Array.from({ length: 60 }, async (_, n) => ({ n, peer: await peerOf(at, `u${n}/s${n}/d${n}`) })),
  )
  const doomed = peers.filter(({ n }) => n % 3 !== 0)
  const storm = Array.from({ length: 20_000 }, (_, n) =>
    at.bridge.revoke({ kind: 'session', id: `nobody${n}` }),
  )
  await Promise.all([
    ...storm,
    ...doomed.map(({ n }) =>
      at.bridge.revoke(n % 2 === 0 ? { kind: 'device', id: `d${n}` } : { kind: 'user', id: `u${n}` }),
    ),
  ])
  for (const { peer } of doomed) expect(await peer.closed).toEqual(ENDED)
  for (const { peer } of peers.filter(({ n }) => n % 3 === 0)) {
    peer.send({ type: 'ping' })
    await peer.next('pong')
  }
})
