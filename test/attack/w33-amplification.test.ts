import { expect, test } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { dial, verifiedPeer } from '../support/peer.ts'
import { tryUpgrade } from '../support/raw.ts'
import { Recorded } from '../support/recorded.ts'

test('[MSG.4] W33: answers and logs ten malformed messages, then closes the peer, verified or not', async () => {
  const log = new Recorded()
  const at = await startBridge({ securityLog: log.securityLog })
  const fresh = dial(at, { token: (await at.token('ann')).accessToken })
  await fresh.next('challenge')
  const verified = await verifiedPeer(at, await at.token('bob'))
  for (const [peer, filler] of [
    [fresh, 'x'.repeat(100)],
    [verified, 'x'.repeat(100_000)],
  ] as const) {
    for (let count = 0; count < 50; count++) peer.send(`{"type":"${filler}","broken":`)
    expect((await peer.closed).code).toBe(4400)
    const errors = peer.waiting.filter(({ type }) => type === 'error')
    expect(errors).toHaveLength(10)
    expect(JSON.stringify(errors).length).toBeLessThan(10 * 2_500)
  }
  expect(log.named('ws_message_parse_error').length).toBeLessThanOrEqual(22)
})

test('[MSG.4] W33: forgives ten malformed messages after a minute', async () => {
  const system = new FakeSystem()
  const at = await startBridge({ system })
  const peer = await verifiedPeer(at, await at.token('ann', 3_600_000))
  for (let round = 0; round < 3; round++) {
    for (let count = 0; count < 10; count++) {
      peer.send('{')
      await peer.next('error')
    }
    for (let half = 0; half < 3; half++) {
      system.advance(20_000)
      peer.send({ type: 'ping' })
      await peer.next('pong')
    }
  }
})

test('[FLOOD.1] W33: samples the log lines of a flood of refusals, and records how many were suppressed', async () => {
  const system = new FakeSystem()
  const log = new Recorded()
  const at = await startBridge({
    system,
    securityLog: log.securityLog,
    addressFailures: { failures: 1_000, windowMs: 60_000, blockMs: 1 },
    trustedProxies: ['127.0.0.1'],
  })
  const guess = (address: string) =>
    tryUpgrade(at, { token: 'a.b.c', headers: [`X-Forwarded-For: ${address}`] })
  for (let count = 0; count < 100; count++) await guess('203.0.113.1')
  await guess('203.0.113.2')
  expect(log.named('ws_authentication_failed')).toHaveLength(21)
  system.advance(60_001)
  await guess('203.0.113.1')
  expect(log.named('ws_authentication_failed').at(-1)).toMatchObject({ ip: '203.0.113.1', suppressed: 80 })
})

test('[FLOOD.1] W33: samples the log lines of calls over the rate limit', async () => {
  const log = new Recorded()
  const at = await startBridge({ securityLog: log.securityLog })
  const { accessToken } = await at.token('ann')
  for (let count = 0; count < 200; count++) await post(at, '/mcp/s', toolCall('t'), bearer(accessToken))
  expect(log.named('ws_rate_limit_exceeded')).toHaveLength(20)
})
