/** The rest of owasp.test.ts: configuration, authentication and logging. */
import { createTokens, memoryUsers, realSystem } from '@bridgekeeper/bridge'
import { describe, expect, test } from 'vitest'
import { agentWith, answerNext, answerNextWith } from '../support/agents.ts'
import { as, challenged, codeOf, LIST, tokenWith, WRONG_ANSWER } from '../support/attacker.ts'
import { SECRET, startBridge, user } from '../support/bridge.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { verifiedPeer } from '../support/peer.ts'
import { tryUpgrade } from '../support/raw.ts'
import { Recorded } from '../support/recorded.ts'

describe('A05:2021 Security Misconfiguration (A02:2025)', () => {
  test('[WS.1] answers a browser on the agents’ path with headers that forbid content and framing', async () => {
    const { headers } = await fetch(`${(await startBridge()).url}/api/mcp-ws`)
    expect(headers.get('content-security-policy')).toBe("default-src 'none'")
    expect(headers.get('x-frame-options')).toBe('DENY')
  })

  test('[ORIGIN.1] sends no CORS headers', async () => {
    const at = await startBridge()
    const response = await fetch(`${at.url}/mcp`, {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example' },
    })
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
    expect(response.status).toBe(403)
  })

  test('[AUTH.10] sends refusals without caching and without a product name', async () => {
    const { headers } = await post(await startBridge(), '/mcp', LIST)
    expect(headers.get('cache-control')).toBe('no-store')
    for (const name of ['server', 'x-powered-by', 'via']) expect(headers.has(name)).toBe(false)
  })

  test('[MCP.6] reveals no stack, path or library in an error', async () => {
    const at = await startBridge()
    for (const body of ['{', '[]', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":7}']) {
      const { text } = await post(at, '/mcp', body, await as(at, 'ann'))
      expect(text).not.toMatch(/node_modules|packages\/|\bat \w+ \(|Error:|\.ts:\d/)
    }
  })

  test('[WS.5] does not accept compression', async () => {
    const at = await startBridge()
    const headers = ['Sec-WebSocket-Extensions: permessage-deflate']
    const answer = await tryUpgrade(at, { token: (await at.token('ann')).accessToken, headers })
    expect(answer.headers.has('sec-websocket-extensions')).toBe(false)
  })

  test('[ADDR.4] trusts no proxy by default', async () => {
    const log = new Recorded()
    await tryUpgrade(await startBridge({ securityLog: log.securityLog }), {
      headers: ['X-Forwarded-For: 6.6.6.6'],
    })
    expect(log.events[0]?.ip).toBe('127.0.0.1')
  })

  test('[ORIGIN.3] accepts only localhost as Host by default', async () => {
    const at = await startBridge()
    expect((await tryUpgrade(at, { headers: ['Host: bridge.example.com'] })).code).toBe('host_forbidden')
  })

  test('[TLS.1] requires TLS in production unless configured otherwise', async () => {
    const at = await startBridge({ production: true, trustedProxies: ['127.0.0.1'] })
    expect((await tryUpgrade(at, { headers: ['X-Forwarded-Proto: https'] })).code).toBe('transport_insecure')
  })

  test('[ADDR.2] refuses to start with an invalid setting', async () => {
    const start = (options: object) => startBridge(options)
    await expect(start({ trustedProxies: ['everybody'] })).rejects.toThrow(TypeError)
    await expect(start({ trustedProxies: ['10.0.0.0/99'] })).rejects.toThrow(TypeError)
    await expect(start({ allowedOrigins: ['*'] })).rejects.toThrow(TypeError)
    await expect(start({ publicUrls: ['bridge'] })).rejects.toThrow(TypeError)
  })
})

describe('A07:2021 Identification and Authentication Failures (A07:2025)', () => {
  test('[AUTH.4] refuses an expired token', async () => {
    const at = await startBridge()
    const { accessToken } = await at.token('ann', -60_000)
    expect((await tryUpgrade(at, { token: accessToken })).code).toBe('token_expired')
  })

  test('[AUTH.6] refuses the token of an unknown user', async () => {
    const at = await startBridge()
    expect((await tryUpgrade(at, { token: await tokenWith({ sub: 'user_gone' }) })).code).toBe('user_unknown')
  })

  test('[AUTH.7] refuses a token issued before a logout everywhere', async () => {
    const tokens = createTokens(SECRET, memoryUsers([{ ...user('ann'), tokenVersion: 2 }]), realSystem())
    const at = await startBridge({ authenticator: tokens })
    expect((await tryUpgrade(at, { token: await tokenWith({ tv: 1 }) })).status).toBe(401)
    expect((await tryUpgrade(at, { token: await tokenWith({ tv: 2 }) })).status).toBe(101)
  })

  test('[AUTH.1] refuses a token in the URL', async () => {
    const path = `/api/mcp-ws?access_token=${await tokenWith()}`
    expect((await tryUpgrade(await startBridge(), { path })).code).toBe('token_in_url')
  })

  test('[AUTH.2] refuses two tokens', async () => {
    const headers = [`Cookie: accessToken=${await tokenWith()}`]
    const at = await startBridge()
    expect((await tryUpgrade(at, { token: await tokenWith(), headers })).code).toBe('token_ambiguous')
  })

  test('[AUTH.8] drops a cached token when it expires', async () => {
    const system = new FakeSystem()
    const at = await startBridge({ system })
    const headers = bearer((await at.token('ann', 2_000)).accessToken)
    expect((await post(at, '/mcp', toolCall('s__t'), headers)).status).toBe(200)
    system.advance(2_001)
    expect((await post(at, '/mcp', toolCall('s__t'), headers)).status).toBe(401)
  })

  test('[ADDR.1] blocks an address that guesses tokens', async () => {
    const at = await startBridge()
    const statuses: number[] = []
    for (let guess = 0; guess < 12; guess++) statuses.push((await tryUpgrade(at, { token: 'a.b.c' })).status)
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 403, 403])
  })

  test('[CHAL.6] locks the user and address that guess a challenge', async () => {
    const at = await startBridge()
    const peer = await challenged(at)
    for (let guess = 0; guess < 3; guess++) peer.send(WRONG_ANSWER)
    await peer.closed
    const { accessToken } = await at.token('ann')
    expect((await tryUpgrade(at, { token: accessToken })).code).toBe('challenge_locked')
  })

  test('[FP.3] with `block`, refuses a token from another program', async () => {
    const at = await startBridge({ fingerprints: 'block' })
    const issued = await at.token('ann')
    await verifiedPeer(at, issued, {
      socketOptions: { headers: { ...bearer(issued.accessToken), 'user-agent': 'a' } },
    })
    const headers = ['User-Agent: b']
    expect((await tryUpgrade(at, { token: issued.accessToken, headers })).code).toBe('fingerprint_changed')
  })

  test('[STATE.1] closes a connection when its token expires', async () => {
    const system = new FakeSystem()
    const at = await startBridge({ system })
    const peer = await verifiedPeer(at, await at.token('ann', 10_000))
    system.advance(10_001)
    expect((await peer.closed).reason).toBe('token_expired')
  })
})

describe('A09:2021 Security Logging and Monitoring Failures (A09:2025)', () => {
  async function recorded(options: Parameters<typeof startBridge>[0] = {}) {
    const log = new Recorded()
    return { log, at: await startBridge({ ...options, securityLog: log.securityLog }) }
  }

  test('[LOG.1] logs a refused agent with address and reason', async () => {
    const { log, at } = await recorded()
    await tryUpgrade(at, { token: 'a.b.c' })
    expect(log.events).toEqual([
      {
        event: 'ws_authentication_failed',
        ip: '127.0.0.1',
        reason: 'token_invalid',
        counted: true,
        suppressed: undefined,
      },
    ])
  })

  test('[LOG.1] logs a refused caller', async () => {
    const { log, at } = await recorded()
    await post(at, '/mcp', LIST, bearer('a.b.c'))
    expect(log.events).toMatchObject([{ event: 'mcp_authentication_failed', reason: 'token_invalid' }])
  })

  test('[LOG.1] logs a refused origin', async () => {
    const { log, at } = await recorded()
    await tryUpgrade(at, { headers: ['Origin: https://evil.example'] })
    expect(log.events).toMatchObject([{ event: 'ws_connection_refused', reason: 'origin_forbidden' }])
  })

  test('[LOG.1] logs the opening, verification and end of a connection', async () => {
    const { log, at } = await recorded()
    const peer = await verifiedPeer(at, await at.token('ann'))
    peer.socket.close(1000, 'bye')
    await expect.poll(() => log.names).toHaveLength(3)
    expect(log.events).toMatchObject([
      { event: 'ws_connection_established', userId: 'user_ann', ip: '127.0.0.1' },
      { event: 'ws_challenge_verified', userId: 'user_ann' },
      { event: 'ws_connection_closed', userId: 'user_ann', code: 1000, reason: 'bye' },
    ])
  })

  test('[LOG.1] logs a wrong answer to the challenge', async () => {
    const { log, at } = await recorded()
    const peer = await challenged(at)
    peer.send(WRONG_ANSWER)
    await peer.next('error')
    expect(log.named('ws_challenge_verification_failed')).toMatchObject([
      { userId: 'user_ann', reason: 'challenge_failed' },
    ])
  })

  test('[LOG.1] logs a call before verification, with its tool', async () => {
    const { log, at } = await recorded()
    const peer = await challenged(at)
    peer.send({ type: 'tool_execute', id: '1', serverName: 's', toolName: 'steal', args: {} })
    await peer.next('error')
    expect(log.named('ws_unauthorized_tool_execution_attempt')).toMatchObject([{ toolName: 'steal' }])
  })

  test('[LOG.1] logs a call and its end under one id, with the caller’s address and without its values', async () => {
    const { log, at } = await recorded()
    const agent = await agentWith(at, 'ann', 's', 't')
    const call = post(at, '/mcp', toolCall('s__t', { argument: 'SECRET-1' }), await as(at, 'ann'))
    await answerNext(agent, { content: [{ type: 'text', text: 'SECRET-2' }] })
    await call
    const [request] = log.named('ws_tool_execution_request')
    const [result] = log.named('ws_tool_execution_result')
    expect(request).toMatchObject({ userId: 'user_ann', ip: '127.0.0.1', serverName: 's', toolName: 't' })
    expect(result).toMatchObject({ success: true, requestId: (request as { requestId?: string }).requestId })
    expect(JSON.stringify(log.events)).not.toContain('SECRET')
  })

  test('[LOG.1] logs a failed call with its reason', async () => {
    const { log, at } = await recorded()
    const agent = await agentWith(at, 'ann', 's', 't')
    const call = codeOf(at.bridge.callTool('user_ann', 's', 't'))
    await answerNextWith(agent, { success: false, error: 'no', code: 'server_exited' })
    await call
    expect(log.named('ws_tool_execution_result')).toMatchObject([{ success: false, reason: 'server_exited' }])
  })

  test('[LOG.1] logs an exceeded limit with its wait', async () => {
    const { log, at } = await recorded({ system: new FakeSystem() })
    for (let count = 0; count < 101; count++) await codeOf(at.bridge.callTool('user_ann', 's', 't'))
    expect(log.named('ws_rate_limit_exceeded')).toMatchObject([{ userId: 'user_ann', retryAfter: 900 }])
  })

  test('[LOG.1] logs malformed, unknown and oversized messages, each with its own event', async () => {
    const { log, at } = await recorded()
    const peer = await verifiedPeer(at, await at.token('ann'))
    for (const text of ['{', '{"type":"sudo"}', `{"type":"ping"}${' '.repeat(1_100_000)}`]) {
      peer.send(text)
      await peer.next('error')
    }
    expect(log.names.slice(2)).toEqual([
      'ws_message_parse_error',
      'ws_unknown_message_type',
      'ws_message_too_large',
    ])
  })

  test('[LOG.1] logs a connection replaced by the same login', async () => {
    const { log, at } = await recorded()
    const issued = await at.token('ann')
    const first = await verifiedPeer(at, issued)
    await verifiedPeer(at, issued)
    await first.closed
    expect(log.named('ws_connection_replaced')).toMatchObject([{ userId: 'user_ann' }])
  })

  test('[LOG.1] logs the start of a block', async () => {
    const { log, at } = await recorded()
    for (let guess = 0; guess < 10; guess++) await tryUpgrade(at, { token: 'a.b.c' })
    expect(log.named('address_blocked')).toMatchObject([{ ip: '127.0.0.1', retryAfter: 3_600 }])
  })

  test('[LOG.1] logs a refused clear connection in production', async () => {
    const { log, at } = await recorded({ production: true })
    await tryUpgrade(at, { path: '/api/mcp-ws?x=1' })
    expect(log.events).toMatchObject([{ event: 'ws_insecure_connection_rejected', url: '/api/mcp-ws' }])
  })
})
