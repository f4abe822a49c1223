import { beforeAll, describe, expect, test, vi } from 'vitest'
import { gate, PATH, startTalking, type Talking } from '../support/talking.ts'
import { type App, apps } from './session-apps.ts'

const METHOD = 'notifications/'
/** Long enough for a busy machine to send progress in time, and short for the test. */
const CALL_TIMEOUT_MS = 2_000

const marks = ({ notified }: App): readonly unknown[] =>
  notified.filter(({ method }) => method === `${METHOD}message`).map(({ params }) => params.data)
const gets = (app: App, method: string) =>
  vi.waitFor(() => expect(app.notified.map((each) => each.method)).toContain(METHOD + method))

/** The id of a request that the server has read. */
const idIn = (line: string) => /"id":(\d+)/.exec(line)?.[1]

let talking: Talking
/** Its bridge has a short time limit for calls. */
let hasty: Talking

beforeAll(async () => {
  talking = await startTalking()
  hasty = await startTalking({ callTimeoutMs: CALL_TIMEOUT_MS })
})

describe.each(apps)('%s', (_, start) => {
  const app = async ({ at } = talking): Promise<App> =>
    start(at.url + PATH, (await at.token('ann')).accessToken)

  test('[EXCH.5] progress keeps a call alive beyond the time limits of client and bridge', async () => {
    const { call } = await app(hasty)
    const { record } = hasty
    const until = gate()
    let progressed = 0
    const options = { timeout: CALL_TIMEOUT_MS, resetTimeoutOnProgress: true, onprogress: () => progressed++ }
    const called = call('work', { until: until.path }, options)
    const begun = performance.now()
    await record.has('"work"', until.path)
    await vi.waitFor(() => expect(performance.now() - begun).toBeGreaterThan(2 * CALL_TIMEOUT_MS))
    until.open()
    expect((await called).content[0].text).toBe('worked')
    expect(progressed).toBeGreaterThan(2)
  })

  test('[EXCH.5] without progress a call ends with call_timeout, and is cancelled', async () => {
    const { call } = await app(hasty)
    const { record } = hasty
    const { path: until } = gate()
    const result = await call('talk', { until })
    expect(result._meta['bridgekeeper/code']).toBe('call_timeout')
    await record.has('notifications/cancelled', `"requestId":${idIn(await record.has('"talk"', until))}`)
  })

  test('[CALL.11] an abort reaches the local server', async () => {
    const { record } = talking
    const { call } = await app()
    const abort = new AbortController()
    const { path: until } = gate()
    const called = call('talk', { until }, { signal: abort.signal })
    const id = idIn(await record.has('"talk"', until))
    abort.abort('enough')
    await expect(called).rejects.toThrow()
    await record.has('notifications/cancelled', `"requestId":${id}`)
  })

  test('[SESS.26] pings, list changes and updates of subscribed resources arrive', async () => {
    const { record } = talking
    const [first, second] = [await app(), await app()]
    await first.ping()
    expect((await first.call('ping', {})).content[0].text).toBe('{}')
    const uri = `x://${first.sessionId}`
    await first.subscribe(uri)
    await record.has('resources/subscribe', uri)
    await second.call('change', { uri })
    await gets(first, 'resources/updated')
    await gets(first, 'tools/list_changed')
    await gets(second, 'tools/list_changed')
    expect(second.notified.map(({ method }) => method)).not.toContain(`${METHOD}resources/updated`)
  })

  test('[SESS.23] each session gets the log levels that it chose', async () => {
    const [quiet, verbose, silent] = [await app(), await app(), await app()]
    await quiet.setLevel('error')
    await verbose.setLevel('debug')
    for (const each of [quiet, verbose, silent])
      for (const level of ['debug', 'info', 'error']) await each.call('talk', { mark: level, level })
    expect([quiet, verbose, silent].map(marks)).toEqual([
      ['error'],
      ['debug', 'info', 'error'],
      ['info', 'error'],
    ])
  })

  test('[ASK.1] asks reach the app, and its answers the server', async () => {
    const asked = await app()
    asked.answer = ({ method, params }) =>
      method === 'elicitation/create'
        ? { action: 'accept', content: { answer: params.message } }
        : { role: 'assistant', content: { type: 'text', text: 'sampled' }, model: 'm' }
    expect((await asked.call('ask', { mark: 'q' })).content[0].text).toContain('"answer":"q"')
    expect((await asked.call('sample', { mark: 'q' })).content[0].text).toContain('sampled')
    expect(await asked.request('x/unknown', { a: 1 })).toMatchObject({ nested: { id: 7 } })
  })

  test('[SESS.7] a client ends its session, and others keep theirs', async () => {
    const [first, second] = [await app(), await app()]
    await first.terminate()
    expect((await second.call('talk', { mark: 'on' })).content[0].text).toMatch(/^on /)
  })
})

test('[INST.3] a server learns that its client samples with tools and context', async () => {
  const client = await talking.client(undefined, { sampling: { tools: {}, context: {} } })
  await client.call('talk', { mark: 'one' })
  const line = await talking.record.has('"initialize"', '"tools"')
  expect(JSON.parse(line).params.capabilities).toEqual({ sampling: { tools: {}, context: {} } })
})
