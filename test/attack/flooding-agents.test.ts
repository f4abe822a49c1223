import { FRAME_ALLOWANCE } from '@bridgekeeper/bridge/testing'
import { expect, test, vi } from 'vitest'
import { HOUR } from '../support/attacker.ts'
import { withoutCallLimits } from '../support/greedy.ts'
import { type Peer, verifiedPeer } from '../support/peer.ts'

const KIB = 1_024
const MIB = 1_048_576

/** Gives the bridge enough turns to read everything that other sockets sent. */
async function roundTrips(peer: Peer, count: number): Promise<void> {
  for (let round = 0; round < count; round++) {
    peer.send({ type: 'ping' })
    await peer.next('pong')
  }
}

test('[LOAD.6] throttles an agent that floods frames, and delays no other agent', async () => {
  const { at, system } = await withoutCallLimits()
  const flooding = await verifiedPeer(at, await at.token('ann', HOUR), { v2: true })
  const quiet = await verifiedPeer(at, await at.token('bob', HOUR), { v2: true })
  let pongs = 0
  flooding.socket.on('message', (data) => (pongs += String(data) === '{"type":"pong"}' ? 1 : 0))
  // Frames of 30 KiB, so that one read holds only a few.
  const ping = `{"type":"ping"${' '.repeat(30 * KIB - 15)}}`
  const allowed = FRAME_ALLOWANCE.units / 30
  for (let count = 0; count < allowed + 1_000; count++) flooding.send(ping)
  await vi.waitFor(() => expect(pongs).toBeGreaterThanOrEqual(allowed), { timeout: 20_000 })
  await roundTrips(quiet, 50)
  expect(pongs).toBeLessThan(allowed + 10)
  const before = pongs
  await vi.waitFor(() => {
    system.advance(1_000)
    expect(pongs).toBeGreaterThan(before)
  })
})

test('[LOAD.6] takes at most 59 catalogs of 1 MiB in a burst', async () => {
  const { at } = await withoutCallLimits()
  const agent = await verifiedPeer(at, await at.token('ann', HOUR), { v2: true })
  const definition = { name: 't', inputSchema: { type: 'object' }, description: 'x'.repeat(MIB - 2_000) }
  for (let count = 1; count <= 70; count++) {
    const tools = [{ hash: '0'.repeat(64), definition }]
    const server = { state: 'ready', name: `s${count}`, serverInfo: { name: 's', version: '1' }, tools }
    agent.send({ type: 'catalog', servers: [server] })
  }
  const newest = () => Number(at.bridge.listTools('user_ann')[0]?.server.slice(1) ?? 0)
  await vi.waitFor(() => expect(newest()).toBe(59), { timeout: 20_000 })
  const quiet = await verifiedPeer(at, await at.token('bob', HOUR), { v2: true })
  await roundTrips(quiet, 50)
  expect(newest()).toBe(59)
})
