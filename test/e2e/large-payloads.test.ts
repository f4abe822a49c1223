import { beforeAll, expect, test, vi } from 'vitest'
import { type Agent, connect, fixture, startAgent } from '../support/agent-program.ts'
import { login, type RunningBridge, serve } from '../support/installation.ts'
import { bearer, codeIn, MCP_HEADERS, post, toolCall } from '../support/mcp.ts'

const MIB = 1_048_576
/** One line of the fixture's text. */
const LINE = `${'0123456789abcdef'.repeat(64)}\n`

let bridge: RunningBridge
let token: string
let agent: Agent

beforeAll(async () => {
  bridge = await serve()
  token = (await login(bridge.data, 'ann@example.com')).accessToken
  agent = await connect(bridge, { token, servers: { large: fixture('large'), small: fixture('large') } })
})

const call = (server: string, tool: string, args: object, meta = {}) => {
  const { params, ...rest } = toolCall(tool, args) as { readonly params: object }
  return post(bridge, `/mcp/${server}`, { ...rest, params: { ...params, ...meta } }, bearer(token))
}

/** Whether the text is exactly the fixture's lines. */
const isWhole = (text: string, bytes: number): boolean =>
  text.length === Math.floor(bytes / (LINE.length + 1)) * LINE.length &&
  text === LINE.repeat(text.length / LINE.length)

test.each([
  [10, 'the short form', {}],
  [60, 'the short form', {}],
  [10, 'an exchange', { _meta: { progressToken: 1 } }],
  [60, 'an exchange', { _meta: { progressToken: 1 } }],
])(
  '[BIG.7] [BIG.9] returns a result of %d MiB whole, by %s',
  async (mebibytes, _form, meta) => {
    const bytes = mebibytes * MIB
    const { json } = await call('large', 'size', { bytes }, meta)
    expect(isWhole(json.result.content[0].text, bytes)).toBe(true)
  },
  60_000,
)

test('[BIG.2] answers small calls while a caller has read only the beginning of a large result', async () => {
  const response = await fetch(`${bridge.url}/mcp/large`, {
    method: 'POST',
    headers: { ...MCP_HEADERS, ...bearer(token) },
    body: JSON.stringify(toolCall('size', { bytes: 60 * MIB })),
  })
  for (let n = 1; n <= 20; n++) {
    const { json } = await call('small', 'count', { x: 'x'.repeat(n) })
    expect(json.result.content[0].text).toBe(String(n))
  }
  const { result } = (await response.json()) as { result: { content: [{ text: string }] } }
  expect(isWhole(result.content[0].text, 60 * MIB)).toBe(true)
}, 60_000)

test('[STDIO.4] [BIG.7] refuses a result of 65 MiB, and keeps the server', async () => {
  const pid = (await call('large', 'pid', {})).json.result.content[0].text
  expect(codeIn((await call('large', 'size', { bytes: 65 * MIB })).json)).toBe('result_too_large')
  expect((await call('large', 'pid', {})).json.result.content[0].text).toBe(pid)
}, 60_000)

test.each([
  [10, {}],
  [60, { _meta: { progressToken: 1 } }],
])(
  '[BIG.8] [BIG.10] passes arguments of %d MiB',
  async (mebibytes, meta) => {
    const x = 'x'.repeat(mebibytes * MIB)
    const { json } = await call('large', 'count', { x }, meta)
    expect(json.result.content[0].text).toBe(String(x.length))
  },
  60_000,
)

test('[BIG.5] cuts a response whose agent ends in the middle, and serves the next agent', async () => {
  const response = await fetch(`${bridge.url}/mcp/large`, {
    method: 'POST',
    headers: { ...MCP_HEADERS, ...bearer(token) },
    body: JSON.stringify(toolCall('size', { bytes: 60 * MIB })),
  })
  agent.program.signal('SIGKILL')
  await expect(response.text()).rejects.toThrow()
  const next = startAgent(bridge, { token, servers: { small: fixture('large') } })
  await next.event('server-ready')
  await vi.waitFor(async () => {
    const { json } = await call('small', 'count', { x: 'xyz' })
    expect(json.result.content[0].text).toBe('3')
  })
}, 60_000)
