import { expect, test, vi } from 'vitest'
import { MESSAGE_ALLOWANCE } from '../../packages/server/src/gates/allowance.ts'
import { HOUR } from '../support/attacker.ts'
import { withoutCallLimits } from '../support/greedy.ts'
import { verifiedPeer } from '../support/peer.ts'

const MIB = 1_048_576

test('[LOAD.6] reads an agent that floods frames more slowly, and delays nobody else', async () => {
  const { at, system } = await withoutCallLimits()
  const flooding = await verifiedPeer(at, await at.token('ann', HOUR), { v2: true })
  const quiet = await verifiedPeer(at, await at.token('bob', HOUR), { v2: true })
  let pongs = 0
  flooding.socket.on('message', (data) => (pongs += String(data) === '{"type":"pong"}' ? 1 : 0))
  for (let count = 0; count < 100_000; count++) flooding.send({ type: 'ping' })
  quiet.send({ type: 'ping' })
  await quiet.next('pong')
  await vi.waitFor(() => expect(pongs).toBeGreaterThanOrEqual(MESSAGE_ALLOWANCE.units - 1))
  for (let count = 0; count < 20; count++) {
    quiet.send({ type: 'ping' })
    await quiet.next('pong')
  }
  // One read holds a few thousand frames; the rest waits for the allowance.
  expect(pongs).toBeLessThan(20_000)
  const before = pongs
  await vi.waitFor(() => {
    system.advance(1_000)
    expect(pongs).toBeGreaterThan(before)
  })
})

test('[LOAD.6] takes no more than 37 catalogs of 1 MiB at once', async () => {
  const { at } = await withoutCallLimits()
  const agent = await verifiedPeer(at, await at.token('ann', HOUR), { v2: true })
  const definition = { name: 't', inputSchema: { type: 'object' }, description: 'x'.repeat(MIB - 2_000) }
  for (let count = 0; count < 60; count++) {
    const info = { name: 's', version: String(count) }
    const tools = [{ hash: '0'.repeat(64), definition }]
    agent.send({ type: 'catalog', servers: [{ state: 'ready', name: `s${count}`, serverInfo: info, tools }] })
  }
  const newest = () => Number(at.bridge.listTools('user_ann')[0]?.server.slice(1) ?? -1)
  await vi.waitFor(() => expect(newest()).toBeGreaterThanOrEqual(36), { timeout: 10_000 })
  const quiet = await verifiedPeer(at, await at.token('bob', HOUR), { v2: true })
  for (let count = 0; count < 20; count++) {
    quiet.send({ type: 'ping' })
    await quiet.next('pong')
  }
  expect(newest()).toBeLessThan(42)
})
