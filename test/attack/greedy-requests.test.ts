import { MAX_BATCH, MESSAGE_ALLOWANCE } from '@bridgekeeper/bridge/testing'
import { expect, onTestFinished, test, vi } from 'vitest'
import { agentWith } from '../support/agents.ts'
import { HOUR, LIST } from '../support/attacker.ts'
import { startBridge, type TestBridge } from '../support/bridge.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { request, withoutCallLimits } from '../support/greedy.ts'
import { bearer, MODERN, OTHER_TYPE, post, toolCall } from '../support/mcp.ts'
import { rawClient } from '../support/raw.ts'

const MIB = 1_048_576

/** Spends a user's allowance of messages, in batches, but for so many. */
async function spendAllBut(at: TestBridge, headers: Record<string, string>, left: number): Promise<void> {
  for (let units = MESSAGE_ALLOWANCE.units - left; units > 0; units -= MAX_BATCH) {
    const batch = Array.from({ length: Math.min(units, MAX_BATCH) }, (_, id) => ({
      ...LIST,
      method: 'ping',
      id,
    }))
    expect((await post(at, '/mcp', batch, headers)).status).toBe(200)
  }
}

const STATUS = 'bridgekeeper__status'

test('[LOAD.3] answers lists from the cache, and rebuilds it after each new catalog', async () => {
  const { at, ann } = await withoutCallLimits()
  const agent = await agentWith(at, 'ann', 's', 'one')
  const names = async (path = '/mcp') => {
    const { json } = await post(at, path, LIST, ann)
    return json.result.tools.map((tool: { name: string }) => tool.name)
  }
  const from = vi.spyOn(Buffer, 'from')
  onTestFinished(() => void from.mockRestore())
  const written = (value: unknown): boolean => typeof value === 'string' && value.startsWith('{"name":"one"')
  const listsMade = () => from.mock.calls.filter(([value]) => written(value)).length
  expect([await names(), await names(), await names('/mcp/s'), await names('/mcp/s')]).toEqual([
    ['s__one'],
    ['s__one'],
    ['one'],
    ['one'],
  ])
  expect(listsMade()).toBe(2)
  const definition = { name: 'two', inputSchema: { type: 'object' } }
  const info = { name: 's', version: '1' }
  const tools = [{ hash: '0'.repeat(64), definition }]
  agent.send({ type: 'catalog', servers: [{ state: 'ready', name: 's', serverInfo: info, tools }] })
  agent.send({ type: 'ping' })
  await agent.next('pong')
  expect([await names(), await names('/mcp/s')]).toEqual([['s__two'], ['two']])
  agent.socket.close()
  // The machine sleeps; its tools stay listed.
  await vi.waitFor(() => expect(at.bridge.listTools('user_ann')).toEqual([]))
  expect(await names()).toEqual(['s__two', STATUS])
})

test('[LOAD.3] caches the lists of several agents, and updates them when one leaves', async () => {
  const { at, ann } = await withoutCallLimits()
  await agentWith(at, 'ann', 'a', 'one')
  const second = await agentWith(at, 'ann', 'b', 'two')
  const names = async () =>
    (await post(at, '/mcp', LIST, ann)).json.result.tools.map((tool: { name: string }) => tool.name).sort()
  expect([await names(), await names()]).toEqual([
    ['a__one', 'b__two'],
    ['a__one', 'b__two'],
  ])
  second.socket.close()
  await vi.waitFor(async () => expect(await names()).toEqual(['a__one', STATUS]))
})

const _meta = {
  'io.modelcontextprotocol/protocolVersion': MODERN,
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

for (const [era, body, headers] of [
  ['2025', LIST, {}],
  ['2026', { ...LIST, params: { _meta } }, { 'mcp-protocol-version': MODERN, 'mcp-method': 'tools/list' }],
] as const) {
  for (const path of ['/mcp', '/mcp/s', '/mcp/unknown'])
    test(`[MCP.3] [LOAD.3] answers tools/list at ${path} alike for either content type, in the ${era} revision`, async () => {
      const { at, ann } = await withoutCallLimits()
      await agentWith(at, 'ann', 's', 'one', 'two')
      const lean = await post(at, path, body, { ...ann, ...headers })
      const sdk = await post(at, path, body, { ...ann, ...headers, ...OTHER_TYPE })
      expect(lean.headers.get('content-type')).toBe('application/json')
      expect([lean.status, lean.json]).toEqual([sdk.status, sdk.json])
    })
}

test.each([
  ['lists', LIST, {}],
  ['lists with another content type', LIST, OTHER_TYPE],
  ['malformed messages', '{"jsonrpc":', {}],
])(
  '[LOAD.4] refuses the 601st request at once with 429, and accepts ten more a second later: %s',
  async (_what, body, headers) => {
    const { at, system, log, ann, bob } = await withoutCallLimits()
    const ask = async (as = ann) => (await post(at, '/mcp', body, { ...as, ...headers })).status
    const first = await ask()
    expect(first).not.toBe(429)
    for (let count = 1; count < MESSAGE_ALLOWANCE.units; count++) expect(await ask()).toBe(first)
    const refused = await post(at, '/mcp', body, { ...ann, ...headers })
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1'])
    expect(refused.json.error.data.code).toBe('rate_limit_exceeded')
    expect(log.named('mcp_request_refused')).toMatchObject([
      { userId: 'user_ann', reason: 'rate_limit_exceeded' },
    ])
    expect(await ask(bob)).toBe(first)
    system.advance(1_000)
    for (let count = 0; count < 10; count++) expect(await ask()).toBe(first)
    expect(await ask()).toBe(429)
  },
)

test('[LOAD.4] counts a large refused message as several: refuses the 38th of 1 MiB before reading it', async () => {
  const { at, ann } = await withoutCallLimits()
  const body = `{"x":"${'x'.repeat(MIB - 100)}`
  for (let count = 0; count < 37; count++) expect((await post(at, '/mcp', body, ann)).status).toBe(400)
  expect((await post(at, '/mcp', body, ann)).status).toBe(429)
  while ((await post(at, '/mcp', '{', ann)).status !== 429);
  const late = await rawClient(at.port)
  // Its body is not sent, and not waited for.
  late.write(request('', { ...ann, 'content-length': String(MIB) }))
  expect((await late.answer()).status).toBe(429)
})

test('[LOAD.4] counts calls that the rate limit refuses, but not those that it allows', async () => {
  const system = new FakeSystem()
  const user = { maxCalls: 100, windowMs: 60_000, blockMs: 900_000 }
  const at = await startBridge({ system, rateLimits: { user } })
  const ann = bearer((await at.token('ann', HOUR)).accessToken)
  const call = async () => (await post(at, '/mcp/s', toolCall('t'), ann)).headers.get('retry-after')
  await spendAllBut(at, ann, 10)
  const retryAfter: (string | null)[] = []
  for (let count = 0; count < 111; count++) retryAfter.push(await call())
  expect(retryAfter).toEqual([...Array(100).fill(null), ...Array(10).fill('900'), '1'])
})

test('[LOAD.5] refuses a batch of 33 messages, and counts each message of a smaller one', async () => {
  const { at, ann } = await withoutCallLimits()
  const batch = (size: number) =>
    post(
      at,
      '/mcp',
      Array.from({ length: size }, (_, id) => ({ ...LIST, method: 'ping', id })),
      ann,
    )
  const refused = await batch(MAX_BATCH + 1)
  expect([refused.status, refused.json.error.data.code]).toEqual([413, 'batch_too_large'])
  let allowed = 0
  while ((await batch(MAX_BATCH)).status === 200) allowed += MAX_BATCH
  expect(allowed).toBe(Math.floor((MESSAGE_ALLOWANCE.units - 1) / MAX_BATCH) * MAX_BATCH)
})

test('[LOAD.4] counts GET and DELETE at /mcp', async () => {
  const { at, ann } = await withoutCallLimits()
  const ask = async (method: string) =>
    (await fetch(`${at.url}/mcp`, { method, headers: { ...ann, accept: 'text/event-stream' } })).status
  await spendAllBut(at, ann, 2)
  expect([await ask('GET'), await ask('DELETE')]).toEqual([400, 400])
  expect([await ask('GET'), await ask('DELETE')]).toEqual([429, 429])
})
