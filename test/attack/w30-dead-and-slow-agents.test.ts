import { expect, test, vi } from 'vitest'
import { blackhole } from '../support/blackhole.ts'
import { startBridge, type TestBridge } from '../support/bridge.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { type Peer, verifiedPeer } from '../support/peer.ts'
import { Recorded } from '../support/recorded.ts'

const HOUR = 3_600_000
const hasAgent = (at: TestBridge) =>
  at.bridge.callTool('user_ann', 's', 't').then(
    () => true,
    (error: { code: string }) => error.code !== 'agent_offline',
  )

test('[LIVE.1] W30: closes an agent behind a dead network 65 seconds after its last sign of life, and ends its calls', async () => {
  const system = new FakeSystem()
  const log = new Recorded()
  const at = await startBridge({ system, securityLog: log.securityLog, callTimeoutMs: HOUR })
  const network = await blackhole(at.port)
  const dead = await verifiedPeer({ ...at, port: network.port }, await at.token('ann', HOUR))
  const alive = await verifiedPeer(at, await at.token('bob', HOUR))
  network.silence()
  const call = at.bridge.callTool('user_ann', 's', 't').catch((error: { code: string }) => error.code)
  const pinged = () => new Promise<void>((resolve) => alive.socket.once('ping', () => resolve()))
  for (let round = 0; round < 2; round++) {
    const next = pinged()
    system.advance(30_000)
    await next
    // The bridge has read the pong to its ping once it answers a later message.
    alive.send({ type: 'ping' })
    await alive.next('pong')
  }
  expect(log.named('ws_connection_unresponsive')).toEqual([])
  system.advance(5_000)
  expect(await call).toBe('outcome_unknown')
  expect(log.named('ws_connection_unresponsive')).toMatchObject([{ userId: 'user_ann' }])
  expect(await hasAgent(at)).toBe(false)
  expect(alive.socket.readyState).toBe(alive.socket.OPEN)
  dead.socket.terminate()
})

/** Large calls, until the bridge has more waiting for this peer than it lets be. */
async function fill(at: TestBridge, peer: Peer): Promise<{ codes: string[]; settled: Promise<unknown> }> {
  peer.socket.pause()
  const codes: string[] = []
  const large = { text: 'x'.repeat(1_000_000) }
  const calls: Promise<unknown>[] = []
  for (let count = 0; count < 20 && codes.length === 0; count++) {
    calls.push(
      at.bridge
        .callTool('user_ann', 's', 't', large)
        .catch((error: { code: string }) => codes.push(error.code)),
    )
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { codes, settled: Promise.all(calls) }
}

test('[LIVE.2] W30: refuses calls to an agent that does not read, until it reads again', async () => {
  const log = new Recorded()
  const at = await startBridge({ securityLog: log.securityLog })
  const peer = await verifiedPeer(at, await at.token('ann'))
  const { codes } = await fill(at, peer)
  expect(codes[0]).toBe('agent_slow')
  const [event] = log.named('ws_slow_reader')
  expect(event).toMatchObject({ userId: 'user_ann', size: expect.any(Number) })
  peer.socket.resume()
  await vi.waitFor(async () => {
    const call = at.bridge.callTool('user_ann', 's', 'again').catch((error: { code: string }) => error.code)
    expect(await Promise.race([call, new Promise((resolve) => setTimeout(resolve, 20, 'sent'))])).toBe('sent')
  })
})

test('[LIVE.3] W30: closes an agent that does not read for 30 seconds', async () => {
  const system = new FakeSystem()
  const at = await startBridge({ system })
  const peer = await verifiedPeer(at, await at.token('ann', HOUR))
  const { codes, settled } = await fill(at, peer)
  expect(codes[0]).toBe('agent_slow')
  system.advance(29_000)
  expect(codes).not.toContain('outcome_unknown')
  system.advance(1_500)
  await settled
  expect(codes).toContain('outcome_unknown')
  expect(await hasAgent(at)).toBe(false)
})
