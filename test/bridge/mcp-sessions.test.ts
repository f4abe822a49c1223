import { expect, test } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { answerOpen, DAY_MS, exchangeAgent, nextOpen } from '../support/exchange-agent.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { bearer, post } from '../support/mcp.ts'

const PATH = '/mcp/s'

const initialize = (capabilities: unknown = {}) => ({
  jsonrpc: '2.0',
  id: 'i',
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 'c', version: '1' } },
})

async function setUp() {
  const system = new FakeSystem()
  const at = await startBridge({ system })
  const agent = await exchangeAgent(at, 'ann', 's', 't')
  const auth = bearer((await at.token('ann', 90 * DAY_MS)).accessToken)
  const begin = async (capabilities?: unknown, headers = auth) => {
    const posted = post(at, PATH, initialize(capabilities), headers)
    const open = await nextOpen(agent)
    agent.send({ type: 'accepted', id: open.id })
    answerOpen(agent, open, { serverInfo: { name: 's', version: '1' } })
    const answer = await posted
    return { open, answer, session: { 'mcp-session-id': answer.headers.get('mcp-session-id') ?? '' } }
  }
  return { system, at, agent, auth, begin }
}

test('[SESS.1] begins a session with initialize, whose id is short visible ASCII and names nobody', async () => {
  const { begin } = await setUp()
  const { open, answer, session } = await begin({ sampling: {} })
  expect(answer.json).toMatchObject({ id: 'i', result: { serverInfo: { name: 's' } } })
  expect(session['mcp-session-id']).toMatch(/^[\x21-\x7e]{1,256}$/)
  expect(open).toMatchObject({ era: '2025', session: { traits: ['sampling'] } })
  expect(Buffer.from(session['mcp-session-id'].slice(3), 'base64url').toString('latin1')).not.toContain('ann')
})

test('[SESS.1] sends the session of each later request to the agent', async () => {
  const { at, agent, auth, begin } = await setUp()
  const { open, session } = await begin()
  const posted = post(
    at,
    PATH,
    { jsonrpc: '2.0', id: 7, method: 'prompts/get', params: { name: 'p' } },
    {
      ...auth,
      ...session,
      accept: 'application/json',
    },
  )
  const next = await nextOpen(agent)
  expect(next.session).toEqual(open.session)
  expect(next.message).toEqual({ jsonrpc: '2.0', id: 7, method: 'prompts/get', params: { name: 'p' } })
  answerOpen(agent, next, { messages: [] })
  expect((await posted).json).toEqual({ jsonrpc: '2.0', id: 7, result: { messages: [] } })
})
