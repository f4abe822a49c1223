import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { type Agent, connect, fixture } from '../support/agent-program.ts'
import { login, mainProcess, type RunningBridge, serve } from '../support/installation.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
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

test('[LIFE.1] an agent finds a bridge that was stopped and started again, without help', async () => {
  bridge.program.signal('SIGTERM')
  expect(await bridge.program.ended).toMatchObject({ code: 0 })
  await agent.event('disconnected')
  bridge = await serve({ data, port: bridge.port })
  await agent.shown('unruly')
  expect((await call('pid')).json.result.content[0].text).toMatch(/^\d+$/)
})

test('[ROUTE.6] a call fails with agent_offline while the agent is gone', async () => {
  kill(mainProcess(agent.program))
  await vi.waitFor(async () => expect((await call('pid')).json.error.data.code).toBe('agent_offline'))
})

test('[LIFE.2] when the bridge is killed its callers see their connections end, and the agent finds the next', async () => {
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

test('[CALL.3] when the agent is killed its calls end with outcome_unknown, each with its id', async () => {
  const { answer } = await heldCall()
  kill(mainProcess(agent.program))
  expect(await answer).toMatchObject({
    status: 200,
    json: {
      id: 1,
      error: {
        code: -32066,
        message: expect.stringMatching(/Call [\w-]{22}\.$/),
        data: { code: 'outcome_unknown', next: expect.any(String) },
      },
    },
  })
})
