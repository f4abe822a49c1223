import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { configFile, connect } from '../support/agent-program.ts'
import { startBridge } from '../support/bridge.ts'
import { COMPILE_CACHE } from '../support/compile-cache.ts'
import { login, mainProcess, serve } from '../support/installation.ts'
import { bearer } from '../support/mcp.ts'
import { kill } from '../support/processes.ts'
import { Program } from '../support/program.ts'
import { scratch } from '../support/scratch.ts'
import { SessionClient } from '../support/session-client.ts'
import { gate, PATH, ServerRecord } from '../support/talking.ts'

const LOGIN_MS = 3_600_000
const TRIES = { timeout: 20_000, interval: 50 }

/** Sessions of two logins with one local server, with what each chose. */
async function begin(url: string, tokens: readonly [string, string]) {
  const [ann, eve] = [
    await SessionClient.begin(url + PATH, bearer(tokens[0]), {}),
    await SessionClient.begin(url + PATH, bearer(tokens[1]), {}),
  ]
  await ann.request('resources/subscribe', { uri: 'x://ann' })
  await ann.request('logging/setLevel', { level: 'error' })
  await eve.request('logging/setLevel', { level: 'debug' })
  return { ann, eve }
}

/** Resolves when the server answers again. */
const back = (client: SessionClient) =>
  vi.waitFor(async () => expect((await client.post(client.rpc('x/of'))).text).toContain('nested'), TRIES)

/** Expects each client to hear of a change, and of the lines that its own call logs, and of no others. */
async function expectApart(ann: SessionClient, eve: SessionClient, round: string) {
  const streams = [await ann.listen(), await eve.listen()]
  expect(streams.map(({ status }) => status)).toEqual([200, 200])
  const calls = await Promise.all(
    [ann, eve].map(async (each, n) => [
      await each.call('talk', { mark: `${round}-${n}-low;`, level: 'info' }),
      await each.call('talk', { mark: `${round}-${n}-high;`, level: 'error' }),
    ]),
  )
  expect(calls.flat().filter(({ result }) => result === undefined)).toEqual([])
  await eve.call('change', { uri: 'x://ann' })
  await ann.next(({ method }) => method === 'notifications/resources/updated')
  for (const [n, each] of [ann, eve].entries()) expect(each.heard).not.toContain(`${round}-${1 - n}-`)
  expect(eve.heard).not.toContain('resources/updated')
  const logged = ann.messages.filter(({ method }) => method === 'notifications/message')
  expect(logged.map(({ params }) => params.level)).not.toContain('info')
}

test('[SESS.25] sessions of two logins continue apart when their agent is killed', async () => {
  const at = await startBridge()
  const record = new ServerRecord()
  const machine = await at.token('ann', LOGIN_MS)
  const file = join(scratch(), 'kept', 'sessions.json')
  const { accessToken, userId, sessionId } = machine
  const config = configFile({ talkative: record.entry })
  const program = join(import.meta.dirname, 'fixtures/kept-agent.ts')
  const start = () =>
    new Program(
      process.execPath,
      [program, at.url, accessToken, userId, sessionId, config, file],
      COMPILE_CACHE,
    )
  const agent = start()
  await vi.waitFor(() => expect(at.bridge.listTools(userId)).not.toEqual([]), TRIES)
  const [one, other] = [await at.token('ann', LOGIN_MS), await at.token('ann', LOGIN_MS)]
  const { ann, eve } = await begin(at.url, [one.accessToken, other.accessToken])
  const never = gate()
  void ann.call('talk', { mark: 'unfinished;', until: never.path }).catch(() => {})
  await ann.next(({ method, params }) => method === 'notifications/x/told' && params.mark === 'unfinished;')
  await vi.waitFor(() => {
    const text = readFileSync(file, 'utf8')
    for (const choice of ['x://ann', '"error"', '"debug"']) expect(text).toContain(choice)
  }, TRIES)
  kill(agent.pid)
  await agent.ended
  start()
  await back(eve)
  await expectApart(ann, eve, 'agent')
  expect(eve.heard).not.toContain('unfinished;')
  expect(record.lines.filter((line) => line.includes(never.path))).toHaveLength(1)
})

test('[STREAM.3] sessions of two logins continue apart when their bridge is killed', async () => {
  const data = join(scratch(), 'data')
  const bridge = await serve({ data })
  const token = async () => (await login(data, 'ann@example.com')).accessToken
  const [first, second] = [await token(), await token()]
  const record = new ServerRecord()
  await connect(bridge, { token: first, servers: { talkative: record.entry } })
  const { ann, eve } = await begin(bridge.url, [first, second])
  await Promise.all([ann.listen(), eve.listen()])
  const until = gate()
  const calls = [ann, eve].map((each, n) =>
    each.call('talk', { mark: `run-${n};`, until: until.path }, { progressToken: 1 }),
  )
  for (const [n, each] of [ann, eve].entries())
    await each.next(
      ({ method, params }) => method === 'notifications/progress' && params.message === `run-${n};`,
    )
  const last = [ann, eve].map(({ eventIds }) => eventIds.at(-1) ?? '')
  kill(mainProcess(bridge.program))
  await bridge.program.ended
  await serve({ data, port: bridge.port })
  await back(eve)
  for (const [n, each] of [ann, eve].entries()) {
    const { ended } = await each.listen({ 'last-event-id': last[n] ?? '' })
    until.open()
    expect(await ended).toMatch(new RegExp(`run-${n}; \\d+`))
    expect(each.heard).not.toContain(`run-${1 - n};`)
  }
  await Promise.all(calls)
  await expectApart(ann, eve, 'bridge')
})
