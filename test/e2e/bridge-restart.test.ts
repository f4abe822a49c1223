import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { type Agent, connect, fixture } from '../support/agent-program.ts'
import { login, mainProcess, type RunningBridge, serve } from '../support/installation.ts'
import { bearer, codeIn, post, toolCall } from '../support/mcp.ts'
import { kill } from '../support/processes.ts'
import { scratch } from '../support/scratch.ts'

let bridge: RunningBridge
let token: string
let data: string
let agent: Agent

beforeAll(async () => {
  data = scratch()
  token = (await login(data, 'ann@example.com')).accessToken
})

beforeEach(async () => {
  bridge = await serve({ data })
  agent = await connect(bridge, { token, servers: { unruly: fixture('unruly') } })
})

const call = (tool: string, args = {}) => post(bridge, '/mcp/unruly', toolCall(tool, args), bearer(token))

/** A call that is running until the test makes the file `until`. */
async function heldCall() {
  const folder = scratch()
  const files = { log: join(folder, 'log'), until: join(folder, 'until') }
  const answer = call('hold', files).catch((error: unknown) => error)
  await vi.waitFor(() => expect(readFileSync(files.log, 'utf8')).toBe('called\n'))
  return { answer, ...files }
}

test('[LIFE.1] reconnects to a restarted bridge', async () => {
  bridge.program.signal('SIGTERM')
  expect(await bridge.program.ended).toMatchObject({ code: 0 })
  await agent.event('disconnected')
  bridge = await serve({ data, port: bridge.port })
  await agent.shown('unruly')
  expect((await call('pid')).json.result.content[0].text).toMatch(/^\d+$/)
})

test('[ROUTE.6] fails a call with agent_offline while the agent is away', async () => {
  kill(mainProcess(agent.program))
  await vi.waitFor(async () => expect(codeIn((await call('pid')).json)).toBe('agent_offline'))
})

test('[LIFE.2] closes callers’ connections when the bridge is killed, and the agent finds the next one', async () => {
  const { answer, log, until } = await heldCall()
  kill(mainProcess(bridge.program))
  expect(await answer).toBeInstanceOf(TypeError)
  await bridge.program.ended

  bridge = await serve({ data, port: bridge.port })
  await agent.shown('unruly')
  expect((await call('pid')).json.result.content[0].text).toMatch(/^\d+$/)
  // The interrupted call was not repeated.
  writeFileSync(until, '')
  expect(readFileSync(log, 'utf8')).toBe('called\n')
})

test('[CALL.3] fails each call with outcome_unknown under its id when the agent is killed', async () => {
  const { answer } = await heldCall()
  kill(mainProcess(agent.program))
  expect(await answer).toMatchObject({
    status: 200,
    json: {
      id: 1,
      result: {
        content: [{ type: 'text', text: expect.stringMatching(/Call [\w-]{22}\. Check/) }],
        isError: true,
        _meta: { 'bridgekeeper/code': 'outcome_unknown' },
      },
    },
  })
})
