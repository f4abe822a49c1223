/** The manual security validation checklist of the original design, point by point. */
import { limits } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { agentWith, answerNext } from '../support/agents.ts'
import { startBridge } from '../support/bridge.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { dial, verifiedPeer } from '../support/peer.ts'
import { tryUpgrade } from '../support/raw.ts'
import { Recorded } from '../support/recorded.ts'

test('[TLS.1] 1. WSS enforcement: connect via ws:// in production → connection rejected', async () => {
  const at = await startBridge({ production: true })
  const { accessToken: token } = await at.token('ann')
  expect(await tryUpgrade(at, { token })).toMatchObject({ status: 403, code: 'transport_insecure' })
  expect(await dial(at, { token }).closed).toEqual({ code: 1008, reason: 'transport_insecure' })
})

test('[AUTH.4] 2. JWT validation: connect with expired JWT → connection rejected with 1008', async () => {
  const at = await startBridge()
  const { accessToken: token } = await at.token('ann', -60_000)
  expect(await dial(at, { token, via: 'cookie' }).closed).toEqual({ code: 1008, reason: 'token_expired' })
})

test('[CHAL.3] 3. Challenge-response: send invalid challenge responses → connection closed, and no tool ran', async () => {
  const at = await startBridge()
  const peer = dial(at, { token: (await at.token('ann')).accessToken })
  await peer.next('challenge')
  for (let attempt = 0; attempt < limits.challengeAttempts; attempt++)
    peer.send({ type: 'challenge_response', response: '0'.repeat(64) })
  expect((await peer.closed).code).toBe(1008)
  await expect(at.bridge.callTool('user_ann', 's', 't')).rejects.toMatchObject({ code: 'agent_offline' })
})

test('[RATE.1] 4. Rate limiting: send 101 tool execution requests in 60 seconds → request 101 rejected with rate_limit_exceeded', async () => {
  const at = await startBridge({ system: new FakeSystem() })
  const agent = await agentWith(at, 'ann', 's', 't')
  const caller = await verifiedPeer(at, await at.token('ann'))
  for (let request = 1; request <= 101; request++) {
    caller.send({ type: 'tool_execute', id: `r${request}`, serverName: 's', toolName: 't', args: {} })
    if (request === 101) break
    await answerNext(agent, { content: [] })
    expect(await caller.next('tool_result')).toMatchObject({ id: `r${request}`, success: true })
  }
  expect(await caller.next('error')).toMatchObject({
    error: 'rate_limit_exceeded',
    id: 'r101',
    retryAfter: 900,
  })
  expect(agent.waiting).toEqual([])
})

test('[SIZE.1] 5. Message size: send 2 MB message → rejected with message_too_large', async () => {
  const at = await startBridge()
  const peer = await verifiedPeer(at, await at.token('ann'))
  peer.send({ type: 'tool_result', id: 'x', success: true, result: 'x'.repeat(2_000_000) })
  expect(await peer.next('error')).toMatchObject({ error: 'message_too_large', maxSize: 1_048_576 })
  peer.send({ type: 'ping' })
  await peer.next('pong')
})

test('[FP.1] 6. Fingerprint logging: connect from different IP → fingerprint change logged', async () => {
  const log = new Recorded()
  const at = await startBridge({ trustedProxies: ['127.0.0.1'], securityLog: log.securityLog })
  const issued = await at.token('ann')
  for (const address of ['203.0.113.1', '203.0.113.2']) {
    const headers = { authorization: `Bearer ${issued.accessToken}`, 'x-forwarded-for': address }
    await verifiedPeer(at, issued, { socketOptions: { headers } })
  }
  expect(log.named('fingerprint_changed')).toMatchObject([
    { userId: 'user_ann', ip: '203.0.113.2', policy: 'observe' },
  ])
})

test('[ORACLE.2] 7. Sensitive data: check logs for tokens and passwords → none found', async () => {
  const log = new Recorded()
  const at = await startBridge({ securityLog: log.securityLog })
  const issued = await at.token('ann')
  const agent = await agentWith(at, 'ann', 's', 't')
  const call = at.bridge.callTool('user_ann', 's', 't', { password: 'hunter2-argument' })
  await answerNext(agent, { content: [{ type: 'text', text: 'hunter2-result' }] })
  await call
  const peer = dial(at, { token: issued.accessToken, via: 'cookie' })
  const { challenge } = await peer.next('challenge')
  peer.send({ type: 'challenge_response', response: 'hunter2-response'.padEnd(64, '0') })
  await peer.next('error')
  await tryUpgrade(at, { path: `/api/mcp-ws?token=${issued.accessToken}` })
  const written = JSON.stringify(log.events)
  expect(log.events.length).toBeGreaterThan(6)
  for (const secret of [issued.accessToken, issued.sessionId, String(challenge), 'hunter2'])
    expect(written).not.toContain(secret)
})

test('[WS.1] 8. Security headers: GET request → returns security headers', async () => {
  const at = await startBridge()
  const response = await fetch(`${at.url}/api/mcp-ws`)
  expect(response.status).toBe(426)
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-security-policy': "default-src 'none'",
    'x-frame-options': 'DENY',
    'x-content-type-options': 'nosniff',
  })
})

test('[MSG.1] 9. Error handling: send malformed JSON → error response, no crash', async () => {
  const at = await startBridge()
  const peer = await verifiedPeer(at, await at.token('ann'))
  peer.send('{"type": "tool_result", ')
  expect(await peer.next('error')).toMatchObject({ error: 'message_invalid' })
  peer.send({ type: 'ping' })
  await peer.next('pong')
})

test('[CALL.3] 10. Resource cleanup: disconnect → challenge cleared, calls ended; a rate limit stays, on purpose', async () => {
  const system = new FakeSystem()
  const at = await startBridge({ system })
  const issued = await at.token('ann')
  const idle = system.armed
  const open = dial(at, { token: issued.accessToken })
  await open.next('challenge')
  const agent = await verifiedPeer(at, await at.token('ann'))
  const call = at.bridge.callTool('user_ann', 's', 't')
  await agent.next('tool_execute')
  open.socket.terminate()
  agent.socket.terminate()
  await expect(call).rejects.toMatchObject({ code: 'outcome_unknown' })
  // No challenge, expiry or call is pending any more; only the round of pings ends.
  system.advance(30_000)
  await expect.poll(() => system.armed).toBeLessThanOrEqual(idle + 1)
  const again = dial(at, { token: issued.accessToken })
  await again.next('challenge')
})
