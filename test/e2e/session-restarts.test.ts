import { join } from 'node:path'
import { beforeEach, expect, test, vi } from 'vitest'
import { type Agent, connect } from '../support/agent-program.ts'
import { login, mainProcess, type RunningBridge, serve } from '../support/installation.ts'
import { codeIn } from '../support/mcp.ts'
import { kill } from '../support/processes.ts'
import { scratch } from '../support/scratch.ts'
import { gate, PATH, ServerRecord } from '../support/talking.ts'
import { type App, apps } from './session-apps.ts'

let bridge: RunningBridge
let data: string
let token: string
let record: ServerRecord
let agent: Agent

/** Resolves once the app has a message of this call: from then on it can read the call's stream on. */
const reached = ({ notified }: App, mark: string) =>
  vi.waitFor(() => expect(notified.map(({ params }) => params?.mark)).toContain(mark), { interval: 10 })
const linesWith = (mark: string) => record.lines.filter((line) => line.includes(mark))

beforeEach(async () => {
  data = join(scratch(), 'data')
  bridge = await serve({ data })
  token = (await login(data, 'ann@example.com')).accessToken
  record = new ServerRecord()
  agent = await connect(bridge, { token, servers: { talkative: record.entry } })
})

test.each(apps)(
  '[STREAM.3] %s goes on with its session and its call while others restart',
  async (_, start) => {
    const app = await start(bridge.url + PATH, token)
    const { sessionId } = app
    const until = gate()
    const call = app.call('talk', { mark: 'one', until: until.path })
    await reached(app, 'one')
    kill(mainProcess(bridge.program))
    await bridge.program.ended
    bridge = await serve({ data, port: bridge.port })
    until.open()
    expect((await call).content[0].text).toMatch(/^one /)
    expect(linesWith(until.path)).toHaveLength(1)
    await app.call('change', { uri: 'x://any' })
    await vi.waitFor(() =>
      expect(app.notified.map(({ method }) => method)).toContain('notifications/tools/list_changed'),
    )

    // [STREAM.10] The machine restarts: the call is over, and is not repeated.
    const never = gate()
    const lost = app.call('talk', { mark: 'two', until: never.path })
    await reached(app, 'two')
    kill(mainProcess(agent.program))
    await connect(bridge, { token, servers: { talkative: record.entry } })
    expect(codeIn({ result: await lost })).toBe('outcome_unknown')
    await vi.waitFor(async () =>
      expect((await app.call('talk', { mark: 'three' })).content[0].text).toMatch(/^three /),
    )
    expect(linesWith(never.path)).toHaveLength(1)
    expect(app.sessionId).toBe(sessionId)
  },
)
