import { queryObjects } from 'node:v8'
import { beforeAll, expect, test } from 'vitest'
import { FakeSystem } from '../support/fake-system.ts'
import { bearer, MCP_HEADERS, modernToolCall, type RpcAnswer } from '../support/mcp.ts'
import { initialize, NEWER } from '../support/mcp-client.ts'
import { PATH, startTalking } from '../support/talking.ts'

const TIMES = 500
/** Objects of bounded tables, such as that of ended sessions. One session or stream consists of dozens. */
const MOST_EACH = 4
/** A round takes longer. The outcomes of the last 256 are kept. */
const ROUNDS = 50
const MOST_OF_ROUND = 25

/** Runs at the same time. */
const AT_ONCE = 10
/** In this time a user may send the messages of so many runs again. */
const REFILL_MS = 4_000

const system = new FakeSystem()
let url: string
let headers: Record<string, string>

beforeAll(async () => {
  const { at } = await startTalking({
    system,
    rateLimits: { user: { maxCalls: 100_000, windowMs: 1_000, blockMs: 60_000 } },
  })
  url = at.url + PATH
  headers = { ...MCP_HEADERS, ...bearer((await at.token('ann', 3_600_000)).accessToken) }
})

async function send(body: object, more: Record<string, string> = {}): Promise<RpcAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...headers, ...more },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  const data = [...text.matchAll(/^data: ([^\n]+)$/gm)].at(-1)?.[1] ?? text
  return { status: response.status, headers: response.headers, text, json: JSON.parse(data) }
}

async function begin(): Promise<Record<string, string>> {
  const begun = await send(initialize())
  return { 'mcp-session-id': begun.headers.get('mcp-session-id') ?? '', 'mcp-protocol-version': NEWER }
}

/** A session from `initialize` to DELETE. */
async function session(): Promise<void> {
  const more = await begin()
  await send({ jsonrpc: '2.0', id: 1, method: 'x/unknown' }, more)
  const { status } = await fetch(url, { method: 'DELETE', headers: { ...headers, ...more } })
  expect(status).toBe(204)
}

/** A stream by GET in this session, from its beginning until its reader leaves. */
async function stream(more: Record<string, string>): Promise<void> {
  const leave = new AbortController()
  const accept = 'text/event-stream'
  const response = await fetch(url, { headers: { ...headers, ...more, accept }, signal: leave.signal })
  expect(response.status).toBe(200)
  leave.abort()
}

/** A call of the 2026 era with one question. */
async function round(): Promise<void> {
  const capabilities = { 'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } } }
  const { body, headers: more } = modernToolCall('ask', { mark: 'm' }, capabilities)
  const { inputRequests, requestState } = (await send(body, more)).json.result
  const [key = ''] = Object.keys(inputRequests)
  const inputResponses = { [key]: { action: 'accept', content: {} } }
  const { json } = await send({ ...body, params: { ...body.params, inputResponses, requestState } }, more)
  expect(json.result.content[0].text).toContain('accept')
}

/** Objects that one run leaves in this process, which is agent and bridge. */
async function leftBy(run: () => Promise<void>, times = TIMES): Promise<number> {
  await repeat(run, times / 5)
  const before = queryObjects(Object, { format: 'count' })
  await repeat(run, times)
  return (queryObjects(Object, { format: 'count' }) - before) / times
}

async function repeat(run: () => Promise<void>, times: number): Promise<void> {
  for (let done = 0; done < times; done += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, run))
    system.advance(REFILL_MS)
  }
}

test('[SESS.22] releases sessions that have ended', async () => {
  expect(await leftBy(session)).toBeLessThan(MOST_EACH)
})

test('[STREAM.22] releases streams by GET that nobody reads', async () => {
  const more = await begin()
  expect(await leftBy(() => stream(more))).toBeLessThan(MOST_EACH)
})

test('[ERA.10] releases calls whose questions were answered', async () => {
  expect(await leftBy(round, ROUNDS)).toBeLessThan(MOST_OF_ROUND)
})
