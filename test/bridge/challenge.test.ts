import { limits } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { dial, verifiedPeer } from '../support/peer.ts'

test('[CHAL.3] closes the connection with 1008 after three wrong answers', async () => {
  const bridge = await startBridge()
  const peer = dial(bridge, { token: (await bridge.token('ann')).accessToken })
  await peer.next('challenge')
  for (let attempt = 1; attempt <= limits.challengeAttempts; attempt++) {
    peer.send({ type: 'challenge_response', response: 'f'.repeat(64) })
    if (attempt < limits.challengeAttempts)
      expect(await peer.next('error')).toMatchObject({ error: 'challenge_failed' })
  }
  expect(await peer.closed).toEqual({ code: 1008, reason: 'challenge_failed' })
})

test('[CHAL.4] closes the connection 30 seconds after it opens, whatever it sends', async () => {
  const system = new FakeSystem()
  const bridge = await startBridge({ system })
  const peer = dial(bridge, { token: (await bridge.token('ann')).accessToken })
  expect(await peer.next('challenge')).toMatchObject({ expiresIn: 30_000 })
  for (let sent = 0; sent < 10; sent++) {
    peer.send({ type: 'ping' })
    await peer.next('error')
    system.advance(2_900)
  }
  expect(peer.socket.readyState).toBe(peer.socket.OPEN)
  system.advance(1_000)
  expect(await peer.closed).toEqual({ code: 4408, reason: 'challenge_timeout' })
})

test('[CHAL.5] routes no calls to an unverified socket and accepts none from it', async () => {
  const bridge = await startBridge()
  const peer = dial(bridge, { token: (await bridge.token('ann')).accessToken })
  await peer.next('challenge')
  await expect(bridge.bridge.callTool('user_ann', 's', 't', { secret: 1 })).rejects.toMatchObject({
    code: 'agent_offline',
  })
  peer.send({ type: 'tool_execute', id: 'i', serverName: 's', toolName: 't', args: {} })
  expect(await peer.next('error')).toMatchObject({ error: 'challenge_required' })
  expect(peer.waiting).toEqual([])
})

test('[SIZE.3] closes an unverified socket after 4 KiB, also within one endless frame', async () => {
  const bridge = await startBridge()
  const { accessToken } = await bridge.token('ann')
  const whole = dial(bridge, { token: accessToken })
  await whole.next('challenge')
  whole.send({ type: 'challenge_response', response: 'x'.repeat(5_000) })
  expect((await whole.closed).code).toBeGreaterThanOrEqual(1006)

  const endless = dial(bridge, { token: accessToken })
  await endless.next('challenge')
  for (let i = 0; i < 6; i++) endless.socket.send('x'.repeat(1_000), { fin: false })
  expect((await endless.closed).code).toBeGreaterThanOrEqual(1006)
})

test('[STATE.1] closes the connection when its token expires', async () => {
  const system = new FakeSystem()
  const bridge = await startBridge({ system })
  const peer = await verifiedPeer(bridge, await bridge.token('ann', 20_000))
  system.advance(19_000)
  peer.send({ type: 'ping' })
  await peer.next('pong')
  system.advance(2_000)
  expect(await peer.closed).toEqual({ code: 4401, reason: 'token_expired' })
})
