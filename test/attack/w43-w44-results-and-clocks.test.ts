import { expect, test } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { dial, verifiedPeer } from '../support/peer.ts'
import { tryUpgrade } from '../support/raw.ts'

/**
 * A system whose wall clock is set manually, as by an administrator or a time server; monotonic time
 * continues.
 */
class SteppedSystem extends FakeSystem {
  stepMs = 0

  override nowMs(): number {
    return super.nowMs() + this.stepMs
  }
}

const DAY = 86_400_000

test('[SIZE.2] W43: fails an oversized result at once, and runs the next call', async () => {
  const at = await startBridge()
  const agent = await verifiedPeer(at, await at.token('ann'))
  const call = at.bridge.callTool('user_ann', 's', 't')
  const { id } = await agent.next('tool_execute')
  agent.send({ type: 'tool_result', id, success: true, result: 'x'.repeat(1_100_000) })
  await expect(call).rejects.toMatchObject({ code: 'result_too_large' })
  const next = at.bridge.callTool('user_ann', 's', 't')
  const second = await agent.next('tool_execute')
  agent.send({ type: 'tool_result', id: second.id, success: true, result: { content: [] } })
  expect(await next).toEqual({ content: [] })
})

test('[RATE.2] W44: keeps blocks and windows when the wall clock is set forward or back', async () => {
  const system = new SteppedSystem()
  const at = await startBridge({ system })
  const codeOf = () =>
    at.bridge.callTool('user_ann', 's', 't').then(
      () => 'ok',
      (error: { code: string }) => error.code,
    )
  for (let count = 0; count < 100; count++) expect(await codeOf()).toBe('agent_offline')
  for (const stepMs of [DAY, -DAY]) {
    system.stepMs = stepMs
    expect(await codeOf()).toBe('rate_limit_exceeded')
  }
})

test('[CHAL.4] W44: keeps the challenge’s deadline when the wall clock is set', async () => {
  const system = new SteppedSystem()
  const at = await startBridge({ system })
  const peer = dial(at, { token: (await at.token('ann', 10 * DAY)).accessToken })
  await peer.next('challenge')
  system.stepMs = DAY
  system.advance(29_000)
  system.stepMs = -DAY
  peer.send({ type: 'ping' })
  expect(await peer.next('error')).toMatchObject({ error: 'challenge_required' })
  system.advance(1_001)
  expect(await peer.closed).toEqual({ code: 4408, reason: 'challenge_timeout' })
})

test('[ADDR.1] W44: keeps an address blocked when the wall clock is set', async () => {
  const system = new SteppedSystem()
  const at = await startBridge({ system, trustedProxies: ['127.0.0.1'] })
  const headers = ['X-Forwarded-For: 203.0.113.1']
  for (let failure = 0; failure < 10; failure++) await tryUpgrade(at, { token: 'a.b.c', headers })
  for (const stepMs of [DAY, -DAY]) {
    system.stepMs = stepMs
    expect((await tryUpgrade(at, { headers })).code).toBe('address_blocked')
  }
})
