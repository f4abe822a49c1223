import { expect, test } from 'vitest'
import { answerOpen, exchangeAgent, nextOpen } from '../support/exchange-agent.ts'
import { bearer, post } from '../support/mcp.ts'
import { initialize, NEWER, PATH, rpc, version } from '../support/mcp-client.ts'
import { startScopedBridge } from '../support/scoped.ts'
import { openEvents } from '../support/sse.ts'

const SCOPES = ['resources:read', 'prompts:read', 'tools:call:s/t']
const FEWER = ['tools:call:s/t']
const RESPONSE = { jsonrpc: '2.0', id: 1, result: {} }

/** A client in an MCP session, and a token of the same login that may do less. */
async function setUp() {
  const at = await startScopedBridge()
  const agent = await exchangeAgent(at, 'ann', 's', 't')
  const token = await at.scopedToken('ann', ...SCOPES)
  const posted = post(at, PATH, initialize(), bearer(token))
  const open = await nextOpen(agent)
  answerOpen(agent, open)
  const session = { ...version(NEWER), 'mcp-session-id': (await posted).headers.get('mcp-session-id') ?? '' }
  await agent.next('done')
  const headersOf = (one: string) => ({ ...bearer(one), ...session })
  return { at, agent, token, open, headersOf, fewer: headersOf(at.rescoped(token, ...FEWER)) }
}

test('[SCOPE.5] lets no token with other scopes read, answer or end what a session of its login does', async () => {
  const { at, agent, fewer } = await setUp()
  for (const path of [PATH, '/mcp']) {
    for (const eventId of ['', 'abc_1', 'abc_1_all', 'abc_1.cOA']) {
      const { response } = await openEvents(at, path, {
        ...fewer,
        ...(eventId && { 'last-event-id': eventId }),
      })
      expect([path, eventId, response.status]).toEqual([path, eventId, 404])
    }
    for (const body of [RESPONSE, rpc('ping'), rpc('tools/call', { name: path === PATH ? 't' : 's__t' })])
      expect((await post(at, path, body, fewer)).text).toContain('session_unknown')
    expect((await fetch(at.url + path, { method: 'DELETE', headers: fewer })).status).toBe(404)
  }
  expect(agent.waiting).toEqual([])
})

test('[SCOPE.5] takes a session from a token of its login with the same scopes, in any order', async () => {
  const { at, agent, token, open, headersOf } = await setUp()
  const renewed = at.rescoped(token, ...SCOPES.toReversed(), 'prompts:read')
  const posted = post(at, PATH, rpc('ping'), headersOf(renewed))
  const again = await nextOpen(agent)
  expect([again.client, again.session]).toEqual([open.client, open.session])
  answerOpen(agent, again)
  expect((await posted).status).toBe(200)
})

test('[SCOPE.5] gives tokens with other scopes another name at the machine, so that tasks do not mix', async () => {
  const { at, agent, token, open } = await setUp()
  const posted = post(at, PATH, rpc('tasks/get', { taskId: 'x' }), bearer(at.rescoped(token, ...FEWER)))
  const other = await nextOpen(agent)
  expect(other.client).not.toBe(open.client)
  answerOpen(agent, other)
  await posted
})
