/**
 * The categories of the OWASP Top 10 that apply to a bridge, by their numbers of 2021 and 2025. Each test
 * checks one behaviour; the other files here attack it in full. A05, A07 and A09 are in
 * owasp-operation.test.ts.
 */
import { describe, expect, test } from 'vitest'
import { agentWith, answerNext } from '../support/agents.ts'
import { as, challenged, codeOf, EMPTY, HOUR, LIST, tokenWith } from '../support/attacker.ts'
import { startBridge } from '../support/bridge.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { bearer, codeIn, post, toolCall } from '../support/mcp.ts'
import { dial, verifiedPeer } from '../support/peer.ts'
import { tryUpgrade } from '../support/raw.ts'
import { Recorded } from '../support/recorded.ts'
import { startScopedBridge } from '../support/scoped.ts'

describe('A01:2021 Broken Access Control (A01:2025)', () => {
  test('[AUTH.10] refuses a caller without a token', async () => {
    const at = await startBridge()
    const agent = await agentWith(at, 'ann', 's', 't')
    expect((await post(at, '/mcp', toolCall('s__t'))).status).toBe(401)
    expect(agent.waiting).toEqual([])
  })

  test('[WS.2] refuses an agent without a token', async () => {
    expect((await tryUpgrade(await startBridge())).status).toBe(401)
  })

  test('[ROUTE.1] does not route one user’s call to another user’s agent', async () => {
    const at = await startBridge()
    const agent = await agentWith(at, 'ann', 's', 't')
    const answer = await post(at, '/mcp', toolCall('s__t'), await as(at, 'bob'))
    expect(codeIn(answer.json)).toBe('agent_offline')
    expect(agent.waiting).toEqual([])
  })

  test('[ROUTE.2] does not list another user’s tools', async () => {
    const at = await startBridge()
    await agentWith(at, 'ann', 'private', 'diary')
    await agentWith(at, 'bob', 's', 't')
    const { text } = await post(at, '/mcp', LIST, await as(at, 'bob'))
    expect(text).toContain('s__t')
    expect(text).not.toMatch(/private|diary/)
  })

  test('[ROUTE.2] takes the user of a call from the token only', async () => {
    const at = await startBridge()
    const ann = await agentWith(at, 'ann', 's', 't')
    const bob = await agentWith(at, 'bob', 's', 't')
    const call = post(at, '/mcp/s?userId=user_ann', toolCall('t', { userId: 'user_ann' }), {
      ...(await as(at, 'bob')),
      'x-user-id': 'user_ann',
      'x-forwarded-user': 'user_ann',
    })
    await answerNext(bob, EMPTY)
    expect((await call).json.result).toEqual(EMPTY)
    expect(ann.waiting).toEqual([])
  })

  test('[CALL.8] lets a socket call tools of its own user only', async () => {
    const at = await startBridge()
    const ann = await agentWith(at, 'ann', 's', 't')
    const bob = await agentWith(at, 'bob', 'other', 't')
    bob.send({ type: 'tool_execute', id: '1', serverName: 's', toolName: 't', args: {} })
    expect(await bob.next('tool_result')).toMatchObject({ code: 'server_not_found' })
    expect(ann.waiting).toEqual([])
  })

  test('[CALL.5] counts waiting calls per user', async () => {
    const at = await startBridge({ maxPendingCalls: 1 })
    await agentWith(at, 'ann', 's', 't')
    const bob = await agentWith(at, 'bob', 's', 't')
    void codeOf(at.bridge.callTool('user_ann', 's', 't'))
    expect(await codeOf(at.bridge.callTool('user_ann', 's', 't'))).toBe('too_many_calls')
    const call = at.bridge.callTool('user_bob', 's', 't')
    await answerNext(bob, EMPTY)
    expect(await call).toEqual(EMPTY)
  })

  test('[SCOPE.1] refuses a call outside the token’s scopes', async () => {
    const at = await startScopedBridge()
    await agentWith(at, 'ann', 's', 'read', 'erase')
    const scoped = await at.scopedToken('ann', 'tools:call:s/read')
    const answer = await post(at, '/mcp', toolCall('s__erase'), bearer(scoped))
    expect(answer).toMatchObject({ status: 403 })
    expect(answer.headers.get('www-authenticate')).toContain('insufficient_scope')
  })

  test('[SCOPE.2] hides tools outside the token’s scopes', async () => {
    const at = await startScopedBridge()
    await agentWith(at, 'ann', 's', 'read', 'erase')
    const { text } = await post(at, '/mcp/s', LIST, bearer(await at.scopedToken('ann', 'tools:call:s/read')))
    expect(text).not.toContain('erase')
  })

  test('[SCOPE.3] refuses a caller’s token on the agents’ path', async () => {
    const at = await startScopedBridge()
    const scoped = await at.scopedToken('ann', 'tools:call:*/*', 'tools:list')
    expect((await tryUpgrade(at, { token: scoped })).code).toBe('scope_insufficient')
  })

  test('[ORIGIN.1] refuses the cookie from a page of another site', async () => {
    const at = await startBridge()
    const cookie = `Cookie: accessToken=${(await at.token('ann')).accessToken}`
    expect((await tryUpgrade(at, { headers: [cookie, 'Origin: https://evil.example'] })).status).toBe(403)
  })

  test('[API.3] answers an unknown path with not_found, and takes an escaped one for a server’s name', async () => {
    const at = await startBridge()
    const headers = await as(at, 'ann')
    for (const path of ['/mcp/a/b', '/metrics', '/.env', '/mcp%2Fs', '/console']) {
      const { status, json } = await post(at, path, LIST, headers)
      expect([status, codeIn(json)], path).toEqual([404, 'not_found'])
    }
    const escaped = await post(at, '/mcp/..%2f..%2fetc', LIST, headers)
    expect(codeIn(escaped.json)).toBe('agent_offline')
  })

  test('[ROUTE.3] keeps routing calls to the verified socket while another is unverified', async () => {
    const at = await startBridge()
    const issued = await at.token('ann')
    const agent = await verifiedPeer(at, issued)
    await dial(at, { token: issued.accessToken }).next('challenge')
    const call = at.bridge.callTool('user_ann', 's', 't')
    await answerNext(agent, EMPTY)
    expect(await call).toEqual(EMPTY)
  })
})

describe('A02:2021 Cryptographic Failures (A04:2025)', () => {
  test('[TLS.1] refuses a caller in the clear in production', async () => {
    const at = await startBridge({ production: true })
    expect(codeIn((await post(at, '/mcp', LIST, await as(at, 'ann'))).json)).toBe('transport_insecure')
  })

  test('[TLS.2] refuses a connection that the proxy reports as http', async () => {
    const at = await startBridge({ tls: 'terminated-by-proxy', trustedProxies: ['127.0.0.1'] })
    const { accessToken } = await at.token('ann')
    const status = async (proto: string) =>
      (await tryUpgrade(at, { token: accessToken, headers: [`X-Forwarded-Proto: ${proto}`] })).status
    expect([await status('http'), await status('https')]).toEqual([403, 101])
  })

  test('[AUTH.5] refuses a token signed with another key', async () => {
    const forged = await tokenWith({}, Buffer.alloc(32, 8))
    expect((await tryUpgrade(await startBridge(), { token: forged })).code).toBe('token_invalid')
  })

  test('[AUTH.5] refuses a token without a signature', async () => {
    const [, claims] = (await tokenWith()).split('.')
    const header = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')
    const at = await startBridge()
    for (const forged of [`${header}.${claims}.`, `${header}.${claims}`])
      expect((await tryUpgrade(at, { token: forged })).code).toBe('token_invalid')
  })

  test('[AUTH.5] refuses a token with a changed claim', async () => {
    const [header, , signature] = (await tokenWith()).split('.')
    const [, claims] = (await tokenWith({ sub: 'user_bob' })).split('.')
    const at = await startBridge()
    expect((await tryUpgrade(at, { token: `${header}.${claims}.${signature}` })).code).toBe('token_invalid')
  })

  test('[AUTH.5] refuses a token for another audience or issuer, though our key signed it', async () => {
    const at = await startBridge()
    expect((await tryUpgrade(at, { token: await tokenWith() })).status).toBe(101)
    for (const changes of [{ aud: 'other' }, { iss: 'other' }])
      expect((await tryUpgrade(at, { token: await tokenWith(changes) })).code).toBe('token_invalid')
  })

  test('[CHAL.1] sends a different challenge of 256 bits on each connection', async () => {
    const at = await startBridge()
    const { accessToken } = await at.token('ann')
    const { challenge } = await dial(at, { token: accessToken }).next('challenge')
    const again = await dial(at, { token: accessToken }).next('challenge')
    expect(challenge).toMatch(/^[0-9a-f]{64}$/)
    expect(again.challenge).not.toBe(challenge)
  })

  test('[CALL.1] gives each call a different id of 20 URL-safe characters', async () => {
    const at = await startBridge()
    const agent = await agentWith(at, 'ann', 's', 't')
    const ids = new Set<unknown>()
    for (let count = 0; count < 20; count++) {
      const call = codeOf(at.bridge.callTool('user_ann', 's', 't'))
      const { id } = await agent.next('tool_execute')
      ids.add(String(id).slice(0, 20))
      agent.send({ type: 'tool_result', id, success: true, result: EMPTY })
      await call
    }
    expect(ids.size).toBe(20)
    for (const id of ids) expect(id).toMatch(/^[\w-]{20}$/)
  })

  test('[AUTH.4] gives each login its own session, even at the same moment', async () => {
    const at = await startBridge({ system: new FakeSystem() })
    const sessions = await Promise.all(
      Array.from({ length: 8 }, async () => (await at.token('ann')).sessionId),
    )
    expect(new Set(sessions).size).toBe(8)
  })
})

describe('A04:2021 Insecure Design (A06:2025)', () => {
  test('[CHAL.5] refuses every message but the answer while the challenge is open', async () => {
    const at = await startBridge()
    const peer = await challenged(at)
    for (const type of ['ping', 'pong']) {
      peer.send({ type })
      expect(await peer.next('error')).toMatchObject({ error: 'challenge_required' })
    }
  })

  test('[CHAL.4] closes a connection whose challenge is unanswered for 30 seconds', async () => {
    const system = new FakeSystem()
    const peer = await challenged(await startBridge({ system }))
    system.advance(30_000)
    expect((await peer.closed).reason).toBe('challenge_timeout')
  })

  test('[CHAL.2] refuses an answer to the challenge of another connection', async () => {
    const at = await startBridge()
    const issued = await at.token('ann')
    const other = await dial(at, { token: issued.accessToken }).next('challenge')
    const peer = dial(at, { token: issued.accessToken })
    await peer.next('challenge')
    peer.answer(other, issued)
    expect(await peer.next('error')).toMatchObject({ error: 'challenge_failed' })
  })

  test('[SIZE.3] closes an unverified peer that sends 5,000 characters', async () => {
    const peer = await challenged(await startBridge())
    peer.send('x'.repeat(5_000))
    expect((await peer.closed).code).toBeGreaterThanOrEqual(1006)
  })

  test('[SIZE.5] refuses a caller’s request over the longest body', async () => {
    const at = await startBridge({ maxBodyBytes: 1_048_576 })
    const answer = await post(at, '/mcp', toolCall('s__t', { a: 'x'.repeat(1_100_000) }), await as(at, 'ann'))
    expect(answer.status).toBe(413)
  })

  test('[RATE.1] lets at most 100 of 150 concurrent calls pass', async () => {
    const at = await startBridge({ system: new FakeSystem() })
    const codes = await Promise.all(
      Array.from({ length: 150 }, () => codeOf(at.bridge.callTool('user_ann', 's', 't'))),
    )
    expect(codes.filter((code) => code === 'agent_offline')).toHaveLength(100)
  })

  test('[CALL.3] fails a call whose outcome is unknown, and does not repeat it', async () => {
    const at = await startBridge()
    const first = await agentWith(at, 'ann', 's', 't')
    const call = codeOf(at.bridge.callTool('user_ann', 's', 't'))
    await first.next('tool_execute')
    first.socket.terminate()
    expect(await call).toBe('outcome_unknown')
    const second = await agentWith(at, 'ann', 's', 't')
    expect(second.waiting.filter(({ type }) => type === 'tool_execute')).toEqual([])
  })

  test('[CALL.2] times out a call to a tool that does not answer', async () => {
    const system = new FakeSystem()
    const at = await startBridge({ system, callTimeoutMs: 5_000 })
    const agent = await verifiedPeer(at, await at.token('ann', HOUR))
    const call = codeOf(at.bridge.callTool('user_ann', 's', 't'))
    await agent.next('tool_execute')
    system.advance(5_000)
    expect(await call).toBe('call_timeout')
  })

  test('[CONN.1] limits the connections of a user', async () => {
    const limits = { inAll: 9, perAddress: 9, perUser: 2, handshakes: 99, handshakeWindowMs: 60_000 }
    const at = await startBridge({ connectionLimits: limits })
    for (let count = 0; count < 2; count++) await challenged(at)
    const { accessToken } = await at.token('ann')
    expect((await tryUpgrade(at, { token: accessToken })).code).toBe('too_many_connections')
  })

  test('[AUTH.9] admits nobody while accounts cannot be read', async () => {
    const broken = () => Promise.reject(new Error('down'))
    const at = await startBridge({ authenticator: { recall: () => undefined, authenticate: broken } })
    expect((await tryUpgrade(at, { token: await tokenWith() })).status).toBe(500)
    expect((await post(at, '/mcp', LIST, bearer(await tokenWith()))).status).toBe(500)
  })

  test('[LOG.8] refuses calls while the security log cannot be written', async () => {
    const { securityLog } = new Recorded()
    const at = await startBridge({ securityLog: { ...securityLog, writable: false } })
    const agent = await agentWith(at, 'ann', 's', 't')
    expect(await codeOf(at.bridge.callTool('user_ann', 's', 't'))).toBe('log_unavailable')
    expect((await post(at, '/mcp', toolCall('s__t'), await as(at, 'ann'))).status).toBe(503)
    expect(agent.waiting).toEqual([])
  })
})
