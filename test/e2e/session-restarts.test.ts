import { join } from 'node:path'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { type Agent, connect } from '../support/agent-program.ts'
import { login, mainProcess, type RunningBridge, serve } from '../support/installation.ts'
import { kill } from '../support/processes.ts'
import { scratch } from '../support/scratch.ts'
import { gate, PATH, ServerRecord } from '../support/talking.ts'
import { apps } from './session-apps.ts'

let bridge: RunningBridge
let data: string
let token: string
let record: ServerRecord
let agent: Agent

const startAgent = () => connect(bridge, { token, servers: { talkative: record.entry } })
const calls = (mark: string) => record.lines.filter((line) => line.includes(mark))

beforeEach(async () => {
  data = join(scratch(), 'data')
  bridge = await serve({ data })
  token = (await login(data, 'ann@example.com')).accessToken
  record = new ServerRecord()
  agent = await startAgent()
})

describe.each(apps)('%s', (_, start) => {
  test('[STREAM.3] goes on with its session and a running call when the bridge is restarted', async () => {
    const app = await start(bridge.url + PATH, token)
    const { sessionId } = app
    const until = gate()
    const call = app.call('talk', { mark: 'one', until: until.path })
    await record.has('"one"')
    kill(mainProcess(bridge.program))
    await bridge.program.ended
    bridge = await serve({ data, port: bridge.port })
    until.open()
    expect((await call).content[0].text).toMatch(/^one /)
    expect((await app.call('talk', { mark: 'two' })).content[0].text).toMatch(/^two /)
    expect(app.sessionId).toBe(sessionId)
    expect(calls('"one"')).toHaveLength(1)
    // Its own stream goes on, too.
    await app.call('change', { uri: 'x://any' })
    await vi.waitFor(() =>
      expect(app.notified.map(({ method }) => method)).toContain('notifications/tools/list_changed'),
    )
  })

  test('[STREAM.10] goes on without initialize when the agent is killed, whose call is not repeated', async () => {
    const app = await start(bridge.url + PATH, token)
    const { sessionId } = app
    const call = app.call('talk', { mark: 'one', until: gate().path }).catch((error: unknown) => error)
    await record.has('"one"')
    kill(mainProcess(agent.program))
    await startAgent()
    await vi.waitFor(async () =>
      expect((await app.call('talk', { mark: 'two' })).content[0].text).toMatch(/^two /),
    )
    expect(app.sessionId).toBe(sessionId)
    expect(JSON.stringify(await call)).toContain('outcome_unknown')
    expect(calls('"one"')).toHaveLength(1)
  })
})
