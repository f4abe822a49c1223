import { expect, test } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { dial, verifiedPeer } from '../support/peer.ts'
import { Recorded } from '../support/recorded.ts'

const WRONG = { type: 'challenge_response', response: 'f'.repeat(64) }

test('[CHAL.4] W05: closes an unverified socket at its deadline whatever it sends, and routes it no call', async () => {
  const system = new FakeSystem()
  const log = new Recorded()
  const at = await startBridge({ system, securityLog: log.securityLog })
  const peer = dial(at, { token: (await at.token('ann')).accessToken, v2: true })
  await peer.next('challenge')
  const keepAlive = [
    { type: 'ping' },
    { type: 'pong' },
    { type: 'catalog', servers: [] },
    WRONG,
    { type: 'ping' },
  ]
  for (const message of keepAlive) {
    peer.send(message)
    await peer.next('error')
    await expect(at.bridge.callTool('user_ann', 's', 't', { secret: 1 })).rejects.toMatchObject({
      code: 'agent_offline',
    })
    expect(at.bridge.listTools('user_ann')).toEqual([])
    system.advance(5_999)
  }
  expect(peer.socket.readyState).toBe(peer.socket.OPEN)
  system.advance(10)
  expect(await peer.closed).toEqual({ code: 4408, reason: 'challenge_timeout' })
  expect(log.named('ws_challenge_verification_failed').at(-1)).toMatchObject({ reason: 'challenge_timeout' })
})

test('[CHAL.5] W06: routes no call to a thief with the token in any state before verification', async () => {
  const at = await startBridge()
  const victim = await verifiedPeer(at, await at.token('ann'))
  const { accessToken } = await at.token('ann')
  const thief = dial(at, { token: accessToken })
  const states: readonly (() => Promise<void> | void)[] = [
    () => {},
    async () => void (await thief.next('challenge')),
    async () => {
      thief.send(WRONG)
      await thief.next('error')
    },
    async () => {
      thief.send('no json')
      await thief.next('error')
    },
    async () => {
      thief.socket.close()
      await thief.closed
    },
  ]
  for (const reach of states) {
    await reach()
    const call = at.bridge.callTool('user_ann', 's', 't', { secretArg: 'hunter2' })
    const { id } = await victim.next('tool_execute')
    victim.send({ type: 'tool_result', id, success: true, result: { content: [] } })
    await call
  }
  expect(thief.waiting).toEqual([])
})

test('[CHAL.5] W06: refuses and logs the call of an unverified socket, and does not run it later', async () => {
  const log = new Recorded()
  const at = await startBridge({ securityLog: log.securityLog })
  const issued = await at.token('ann')
  const peer = dial(at, { token: issued.accessToken })
  const challenge = await peer.next('challenge')
  const agent = await verifiedPeer(at, await at.token('ann'))
  peer.send({ type: 'tool_execute', id: 'early', serverName: 's', toolName: 'steal', args: {} })
  expect(await peer.next('error')).toMatchObject({ error: 'challenge_required' })
  peer.answer(challenge, issued)
  await peer.next('challenge_verified')
  agent.send({ type: 'ping' })
  await agent.next('pong')
  expect([...agent.waiting, ...peer.waiting]).toEqual([])
  expect(log.named('ws_unauthorized_tool_execution_attempt')).toMatchObject([
    { userId: 'user_ann', toolName: 'steal', ip: '127.0.0.1' },
  ])
})
