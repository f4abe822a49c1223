import { join } from 'node:path'
import { openSqliteStores } from '@bridgekeeper/standalone/testing'
import { expect, onTestFinished, test, vi } from 'vitest'
import { codeOf, HOUR, WRONG_ANSWER } from '../support/attacker.ts'
import { startBridge, type TestBridge } from '../support/bridge.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { bearer, codeIn, OTHER_TYPE, post, toolCall } from '../support/mcp.ts'
import { dial, type Peer, verifiedPeer } from '../support/peer.ts'
import { tryUpgrade } from '../support/raw.ts'
import { scratch } from '../support/scratch.ts'

/** A verified peer without servers, which only calls. */
async function callingPeer(at: TestBridge): Promise<Peer> {
  const peer = await verifiedPeer(at, await at.token('ann', HOUR), { v2: true })
  peer.send({ type: 'catalog', servers: [] })
  peer.send({ type: 'ping' })
  await peer.next('pong')
  return peer
}

/** Makes 101 calls at once, none of which the user's agent answers. @returns how many ended with a code */
async function burst(at: TestBridge, call: () => Promise<string>) {
  const agent = await verifiedPeer(at, await at.token('ann', HOUR))
  const codes: string[] = []
  const calls = Array.from({ length: 101 }, () => call().then((code) => codes.push(code)))
  await vi.waitFor(() => expect(codes).toHaveLength(101 - 64), { timeout: 20_000 })
  agent.socket.terminate()
  await Promise.all(calls)
  return (wanted: string) => codes.filter((code) => code === wanted).length
}

const EXPECTED = [1, 36, 64]

test('[RATE.9] W21: refuses the 101st of 101 concurrent calls from a verified socket with rate_limit_exceeded', async () => {
  const at = await startBridge({ system: new FakeSystem() })
  const caller = await callingPeer(at)
  await verifiedPeer(at, await at.token('ann', HOUR))
  for (let index = 1; index <= 101; index++)
    caller.send({ type: 'tool_execute', id: `call-${index}`, serverName: 's', toolName: 't', args: {} })
  const refused: unknown[] = []
  for (let count = 0; count < 101 - 64; count++) {
    const { id, code } = await caller.next('tool_result')
    refused.push([id, code])
  }
  expect(refused.slice(0, -1)).toEqual(
    Array.from({ length: 36 }, (_, index) => [`call-${65 + index}`, 'too_many_calls']),
  )
  expect(refused.at(-1)).toEqual(['call-101', 'rate_limit_exceeded'])
})

for (const [path, headers] of [
  ['the usual content type', {}],
  ['another content type', OTHER_TYPE],
] as const) {
  test(`[RATE.9] W21: refuses one of 101 concurrent calls with rate_limit_exceeded, sent with ${path}`, async () => {
    const at = await startBridge({ system: new FakeSystem() })
    const { accessToken } = await at.token('ann', HOUR)
    const count = await burst(at, async () => {
      const { json } = await post(at, '/mcp/s', toolCall('t'), { ...bearer(accessToken), ...headers })
      return String(codeIn(json))
    })
    expect([count('rate_limit_exceeded'), count('too_many_calls'), count('outcome_unknown')]).toEqual(
      EXPECTED,
    )
  })
}

test('[RATE.9] W21: refuses one of 101 concurrent calls by the app with rate_limit_exceeded', async () => {
  const at = await startBridge({ system: new FakeSystem() })
  const count = await burst(at, () => codeOf(at.bridge.callTool('user_ann', 's', 't')))
  expect([count('rate_limit_exceeded'), count('too_many_calls'), count('outcome_unknown')]).toEqual(EXPECTED)
})

test('[RATE.9] W21: counts calls that reuse the id of a running call', async () => {
  const at = await startBridge({ system: new FakeSystem() })
  await verifiedPeer(at, await at.token('ann', HOUR))
  const caller = await callingPeer(at)
  const codes: unknown[] = []
  for (let count = 0; count < 101; count++)
    caller.send({ type: 'tool_execute', id: 'same', serverName: 's', toolName: 't', args: {} })
  for (let count = 0; count < 100; count++) codes.push((await caller.next('tool_result')).code)
  expect(codes).toEqual([...Array(99).fill('call_id_conflict'), 'rate_limit_exceeded'])
})

/** A bridge with stored blocks that its operator can lift. */
async function withStore() {
  const system = new FakeSystem()
  const { close, blocks } = await openSqliteStores(join(scratch(), 'state.db'), system)
  onTestFinished(() => close())
  const at = await startBridge({ system, stores: { blocks } })
  await at.bridge.ready()
  const lift = async () => {
    await vi.waitFor(async () => expect(await blocks.all()).toHaveLength(1))
    for (const block of await blocks.all()) expect(await blocks.remove(block)).toBe(true)
  }
  return { at, lift }
}

for (const [path, headers] of [
  ['the usual content type', {}],
  ['another content type', OTHER_TYPE],
] as const) {
  test(`[BLOCK.5] W22: after an operator lifts a block, accepts the next call with ${path} and starts a fresh window`, async () => {
    const { at, lift } = await withStore()
    const { accessToken } = await at.token('ann', HOUR)
    const call = async () =>
      codeIn((await post(at, '/mcp/s', toolCall('t'), { ...bearer(accessToken), ...headers })).json)
    for (let count = 0; count < 100; count++) await call()
    expect(await call()).toBe('rate_limit_exceeded')
    await lift()
    for (let count = 0; count < 100; count++) expect(await call()).toBe('agent_offline')
    expect(await call()).toBe('rate_limit_exceeded')
  })
}

test('[BLOCK.5] W22: after an operator lifts a block, accepts the next call of a socket and of the app', async () => {
  const { at, lift } = await withStore()
  const caller = await callingPeer(at)
  const call = async () => {
    caller.send({ type: 'tool_execute', id: 'one', serverName: 's', toolName: 't', args: {} })
    return (await caller.next('tool_result')).code
  }
  for (let count = 0; count < 100; count++) await codeOf(at.bridge.callTool('user_ann', 's', 't'))
  expect(await call()).toBe('rate_limit_exceeded')
  await lift()
  expect(await call()).toBe('server_not_found')
  for (let count = 0; count < 100; count++) await codeOf(at.bridge.callTool('user_ann', 's', 't'))
  expect(await call()).toBe('rate_limit_exceeded')
  await lift()
  expect(await codeOf(at.bridge.callTool('user_ann', 's', 't'))).toBe('server_not_found')
})

test('[BLOCK.5] W28: after an operator lifts the block of an address, admits its next caller and agent', async () => {
  const { at, lift } = await withStore()
  const { accessToken } = await at.token('ann', HOUR)
  const status = async (token: string) => (await post(at, '/mcp/s', toolCall('t'), bearer(token))).status
  const block = async () => {
    for (let count = 0; count < 10; count++) await status('wrong')
    expect(await status(accessToken)).toBe(403)
  }
  await block()
  await lift()
  expect(await status(accessToken)).toBe(200)
  await block()
  expect((await tryUpgrade(at, { token: accessToken })).code).toBe('address_blocked')
  await lift()
  expect((await tryUpgrade(at, { token: accessToken })).status).toBe(101)
})

test('[BLOCK.5] W04: after an operator lifts a lock, sends the next challenge', async () => {
  const { at, lift } = await withStore()
  const { accessToken } = await at.token('ann', HOUR)
  const peer = dial(at, { token: accessToken })
  await peer.next('challenge')
  for (let count = 0; count < 3; count++) peer.send(WRONG_ANSWER)
  await peer.closed
  expect((await tryUpgrade(at, { token: accessToken })).code).toBe('challenge_locked')
  await lift()
  expect((await tryUpgrade(at, { token: accessToken })).status).toBe(101)
})
