import { beforeAll, expect, test, vi } from 'vitest'
import { type Agent, fixture, published, startAgent } from '../support/agent-program.ts'
import { login, type RunningBridge, serve } from '../support/installation.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'

let bridge: RunningBridge
let token: string
let agent: Agent

beforeAll(async () => {
  bridge = await serve()
  token = (await login(bridge.data, 'ann@example.com')).accessToken
  const servers = {
    good: published('everything'),
    unruly: fixture('unruly'),
    missing: { command: 'no-such-program', args: [] },
    dying: { command: 'sh', args: ['-c', 'echo "cannot open the database" >&2; exit 3'] },
    mute: { command: 'sh', args: ['-c', 'echo "I speak no JSON"; cat >/dev/null'] },
  }
  agent = startAgent(bridge, { token, servers })
  await agent.shown('good')
  await agent.shown('unruly')
})

const call = (server: string, tool: string, args = {}) =>
  post(bridge, `/mcp/${server}`, toolCall(tool, args), bearer(token))

/** Checks that the servers beside a bad one still work. */
async function expectTheRestToWork(): Promise<void> {
  const { json } = await call('good', 'echo', { message: 'still here' })
  expect(json, agent.program.output).toMatchObject({
    result: { content: [{ type: 'text', text: 'Echo: still here' }] },
  })
}

test('[LOCAL.1] fails a call with server_exited when its server dies, and restarts the server', async () => {
  const before = (await call('unruly', 'pid')).json.result.content[0].text
  const { status, json } = await call('unruly', 'die')
  expect(status).toBe(200)
  expect(json.result).toMatchObject({ isError: true, _meta: { 'bridgekeeper/code': 'server_exited' } })
  await expectTheRestToWork()
  await vi.waitFor(
    async () => {
      const { json: after } = await call('unruly', 'pid')
      expect(after.result.content[0].text).toMatch(/^\d+$/)
      expect(after.result.content[0].text).not.toBe(before)
    },
    { timeout: 10_000, interval: 50 },
  )
})

test('[LOCAL.2] skips output that is no message, and still reads the answers', async () => {
  await agent.shown('unruly')
  for (let i = 0; i < 3; i++) {
    const { json } = await call('unruly', 'garbage')
    expect(json.result.content[0].text).toBe('after the garbage')
  }
  await expectTheRestToWork()
})

test.each([
  ['missing', /"no-such-program" was not found/],
  ['dying', /ended during its start with exit code 3/],
  ['mute', /It is starting/],
])(
  '[LOCAL.3] fails calls to a server that does not start with server_unavailable and the reason: %s',
  async (server, reason) => {
    await vi.waitFor(async () => {
      const { status, json } = await call(server, 'anything')
      expect(status).toBe(200)
      expect(json.result).toEqual({
        content: [{ type: 'text', text: expect.stringMatching(reason) }],
        isError: true,
        _meta: { 'bridgekeeper/code': 'server_unavailable' },
      })
    }, 5_000)
    await expectTheRestToWork()
  },
)

test('[LOCAL.3] prints the reason on the machine with the server’s output, and does not send it to the bridge', async () => {
  const failed = await agent.event('server-failed', ({ name }) => name === 'dying')
  expect(failed).toMatchObject({ stderr: 'cannot open the database', retryInMs: expect.any(Number) })
  expect((await call('dying', 'anything')).text).not.toContain('database')
})

test('[LOCAL.3] lists the tools of the servers that started on /mcp', async () => {
  const { json } = await post(bridge, '/mcp', { jsonrpc: '2.0', id: 1, method: 'tools/list' }, bearer(token))
  const names: string[] = json.result.tools.map((tool: { name: string }) => tool.name.split('__')[0])
  expect(new Set(names)).toEqual(new Set(['good', 'unruly', 'bridgekeeper']))
})

test('[LOCAL.3] lists no tools and keeps running when no server starts', async () => {
  const bob = await login(bridge.data, 'bob@example.com')
  const alone = startAgent(bridge, {
    token: bob.accessToken,
    servers: { missing: { command: 'no-such-program', args: [] } },
  })
  await alone.event('server-failed')
  await alone.event('verified')
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
  await vi.waitFor(async () => {
    const { json } = await post(bridge, '/mcp', list, bearer(bob.accessToken))
    expect(json.result.tools).toMatchObject([{ name: 'bridgekeeper__status' }])
  })
  expect(alone.program.processes().length).toBeGreaterThan(0)
})
