import { beforeAll, expect, test, vi } from 'vitest'
import {
  bridgekeeper,
  jsonOf,
  login,
  mainProcess,
  type RunningBridge,
  serve,
} from '../support/installation.ts'
import { bearer, post } from '../support/mcp.ts'

const PING = { jsonrpc: '2.0', id: 1, method: 'ping' }
const CALL = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 's__t', arguments: {} } }
/** The address of these tests behind the proxy that the bridge trusts. */
const CLIENT = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' }
const LIMITS = { BRIDGEKEEPER_RATE_LIMIT: '2/1m/15m', BRIDGEKEEPER_TRUSTED_PROXIES: '127.0.0.1' }

let bridge: RunningBridge

beforeAll(async () => {
  bridge = await serve({ env: LIMITS })
})

const block = (...args: string[]) => bridgekeeper(['block', ...args, '--data', bridge.data, '--json'])

async function statusOf(body: object, token: string): Promise<number> {
  return (await post(bridge, '/mcp', body, { ...bearer(token), ...CLIENT })).status
}

test('[CLI.16] [BLOCK.1] [BLOCK.5] blocks, lists and lifts an address by command while the node runs, and the next request passes', async () => {
  const { accessToken } = await login(bridge.data, 'ann@example.com')
  expect(await statusOf(PING, accessToken)).toBe(200)
  const [added] = (await jsonOf(block('add', '203.0.113.7', '--for', '2h'))) as { expiresAt: string }[]
  expect(Date.parse(added?.expiresAt ?? '') - Date.now()).toBeGreaterThan(7_100_000)
  await vi.waitFor(async () => expect(await statusOf(PING, accessToken)).toBe(403), { timeout: 10_000 })
  expect(added).toMatchObject({ kind: 'address', key: '203.0.113.7' })
  expect(await jsonOf(block('list'))).toEqual([added])
  const { stdout } = await bridgekeeper(['block', 'list', '--data', bridge.data])
  expect(stdout).toMatch(/^KIND +KEY +EXPIRES\naddress +203\.0\.113\.7 +\d{4}-\S+Z\n$/)
  expect(await jsonOf(block('lift', '203.0.113.7'))).toEqual([added])
  expect(await statusOf(PING, accessToken)).toBe(200)
})

test('[CLI.16] [RATE.5] [RATE.8] [BLOCK.5] applies a limit from the environment over a restart, and lifts its block by the user’s email', async () => {
  const { accessToken } = await login(bridge.data, 'bob@example.com')
  // No agent is there, yet each try is one.
  for (let call = 0; call < 2; call++) expect(await statusOf(CALL, accessToken)).toBe(200)
  expect(await statusOf(CALL, accessToken)).toBe(429)
  // A kill within the very moment of the answer could come before the store has the block.
  await vi.waitFor(async () => expect(await jsonOf(block('list'))).toMatchObject([{ kind: 'calls' }]), {
    timeout: 10_000,
  })
  process.kill(mainProcess(bridge.program), 'SIGKILL')
  await bridge.program.ended
  bridge = await serve({ data: bridge.data, env: LIMITS })
  expect(await statusOf(CALL, accessToken)).toBe(429)
  expect(await jsonOf(block('lift', 'bob@example.com'))).toMatchObject([{ kind: 'calls' }])
  // The very next calls, and as many as a fresh window allows.
  for (let call = 0; call < 2; call++) expect(await statusOf(CALL, accessToken)).toBe(200)
  expect(await statusOf(CALL, accessToken)).toBe(429)
  // The lift takes effect before the node records it, so wait for the record.
  await bridge.program.printed((text) => (text.includes('block_lifted') ? text : undefined))
})

test('[CLI.16] refuses an invalid address, and one that is not blocked', async () => {
  const failed = async (...args: string[]) => {
    const { code, stdout } = await block(...args)
    return [code, JSON.parse(stdout).error.code]
  }
  expect(await failed('add', 'localhost')).toEqual([1, 'address_invalid'])
  expect(await failed('lift', 'nobody@example.com')).toEqual([1, 'block_unknown'])
})

test('[CLI.16] logs what the operator did', async () => {
  expect(bridge.program.output).toContain('"event":"block_lifted"')
  expect((await bridgekeeper(['audit', 'verify', '--data', bridge.data])).code).toBe(0)
})
