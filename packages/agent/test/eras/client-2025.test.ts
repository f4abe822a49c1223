import { expect, test } from 'vitest'
import { MAX_ROUNDS } from '../../src/eras/rounds-2025.ts'
import { type Bridge, call, notification, request, runFixture } from '../support/exchanges.ts'
import { fixturePath } from '../support/local.ts'
import { form, said, textOf } from '../support/rounds.ts'
import { until } from '../support/until.ts'

const session = { id: 'session-1', traits: ['sampling', 'elicitation-form', 'roots'] as const }
const asked = { session: { ...session, traits: [...session.traits] } }

/** Answers the question at this position of an exchange. */
async function answer(bridge: Bridge, id: string, position: number, answers: object): Promise<string> {
  const { json } = await bridge.message(id, position)
  await bridge.note({ ...asked, message: { jsonrpc: '2.0', id: json.id, ...answers } })
  return String(json.method)
}

test('[ERA.11] introduces a 2026 server to a client, in a version that the client speaks', async () => {
  const bridge = await runFixture('v2-modern')
  const initialize = (protocolVersion: string) => {
    const params = { protocolVersion, capabilities: {}, clientInfo: { name: 'c', version: '1' } }
    return bridge.ask({ ...asked, message: request('initialize', params) })
  }

  const { status, json } = await initialize('2025-06-18')
  expect(status).toBe(200)
  expect(json?.result).toEqual({
    protocolVersion: '2025-06-18',
    capabilities: expect.not.objectContaining({ extensions: expect.anything() }),
    serverInfo: { name: 'conformance-fixture', version: '1.0.0' },
    instructions: 'Everything that the conformance suite asks of a server.',
  })
  const unknown = await initialize('1999-01-01')
  expect(unknown.json?.result).toMatchObject({ protocolVersion: '2025-11-25' })
})

test('[ERA.11] answers with methods and members of the 2025 era only', async () => {
  const bridge = await runFixture('v2-modern')

  expect(await bridge.ask({ message: request('ping') })).toMatchObject({ json: { result: {} } })
  for (const method of ['server/discover', 'subscriptions/listen', 'tasks/get'])
    expect(await bridge.ask({ message: request(method, {}) })).toMatchObject({
      json: { error: { code: -32_601 } },
    })

  const list = await bridge.ask({ message: request('tools/list') })
  const called = await bridge.ask({ message: call('test_simple_text') })

  expect(Object.keys(list.json?.result as object)).toEqual(['tools'])
  expect(Object.keys(called.json?.result as object)).toEqual(['content'])
})

test('[ERA.12] asks the client what a round needs, and sends the request again', async () => {
  const bridge = await runFixture('v2-modern')

  const id = bridge.open({ ...asked, message: call('test_input_required_result_multi_round', {}, 9) })
  expect(await answer(bridge, id, 1, { result: form({ name: 'Ann' }) })).toBe('elicitation/create')
  await answer(bridge, id, 2, { result: form({ color: 'blue' }) })
  const end = await bridge.end(id)

  expect(end.json).toMatchObject({ id: 9 })
  expect(textOf(end)).toBe('Ann likes blue.')
  expect(bridge.frames.filter(({ type }) => type === 'accepted')).toHaveLength(1)
})

test('[ERA.12] ends the request with the error that the client answered', async () => {
  const bridge = await runFixture('v2-modern')

  const id = bridge.open({ ...asked, message: call('test_sampling', { prompt: 'x' }) })
  await answer(bridge, id, 1, { error: { code: -1, message: 'The user declined.' } })

  expect(await bridge.end(id)).toMatchObject({ json: { error: { code: -1, message: 'The user declined.' } } })
})

test('[ERA.12] ends a request that its client cannot answer, or that asks without end', async () => {
  const bridge = await runFixture('v2-modern', { args: [fixturePath('asks-anyway')] })
  const silent = { session: { id: 'silent', traits: [] } }

  for (const opened of [{}, silent, { ...asked, streams: false }])
    expect(await bridge.ask({ ...opened, message: call('sample') })).toMatchObject({
      json: { error: { code: -32_603 } },
    })
  const { json } = await bridge.ask({ ...asked, message: call('forever') })

  expect(json?.error).toMatchObject({
    code: -32_603,
    message: `The server needed more than ${MAX_ROUNDS} rounds.`,
  })
  expect(bridge.frames.filter(({ type }) => type === 'message')).toEqual([])
})

test('[ERA.13] a client gives its roots only to a server whose entry allows it', async () => {
  const bridge = await runFixture('v2-modern', { roots: ['file:///fixed'] })

  const end = await bridge.ask({ ...asked, message: call('test_input_required_result_list_roots') })

  expect(textOf(end)).toContain('file:///fixed')
  expect(bridge.frames.filter(({ type }) => type === 'message')).toEqual([])
})

test('[ERA.13] passes the roots of the client if the entry allows it', async () => {
  const bridge = await runFixture('v2-modern', { clientRoots: true })

  const id = bridge.open({ ...asked, message: call('test_input_required_result_multiple_inputs') })
  const answers: Record<string, object> = {
    'elicitation/create': form({ name: 'Ann' }),
    'sampling/createMessage': said('hello'),
    'roots/list': { roots: [{ uri: 'file:///mine' }] },
  }
  await until(() => bridge.messages(id).length === 3)
  for (const { json } of bridge.messages(id))
    await bridge.note({
      ...asked,
      message: { jsonrpc: '2.0', id: json.id, result: answers[String(json.method)] },
    })

  expect(textOf(await bridge.end(id))).toContain('file:///mine')
})

test('[ERA.14] keeps the log level for the envelope, and passes progress', async () => {
  const bridge = await runFixture('v2-modern')
  const level = (value: string) =>
    bridge.ask({ ...asked, message: request('logging/setLevel', { level: value }) })

  const logged = bridge.open({ ...asked, message: call('test_logging_tool') })
  await bridge.end(logged)
  expect(bridge.messages(logged)).toHaveLength(1)
  expect((await level('error')).json).toMatchObject({ result: {} })
  const quiet = bridge.open({ ...asked, message: call('test_logging_tool') })
  await bridge.end(quiet)
  expect(bridge.messages(quiet)).toEqual([])
  expect((await level('loud')).json).toMatchObject({ error: { code: -32_602 } })

  const message = call('test_tool_with_progress', {}, 1, { progressToken: 'p' })
  const id = bridge.open({ ...asked, message })
  await bridge.end(id)
  expect(bridge.messages(id).map(({ json }) => (json.params as { progress: number }).progress)).toEqual([
    0, 50, 100,
  ])
})

test('[ERA.15] listens at the server for what its sessions subscribed to', async () => {
  const bridge = await runFixture('v2-modern')
  const uri = 'test://watched-resource'
  const other = { session: { id: 'other', traits: [] } }
  const streams = [asked, other].map((opened) => bridge.open({ ...opened, kind: 'stream' }))
  const subscribe = (method: string) => bridge.ask({ ...asked, message: request(method, { uri }) })
  await bridge.ask({ ...other, message: request('ping') })

  expect((await subscribe('resources/subscribe')).json).toMatchObject({ result: {} })
  await bridge.ask({ ...asked, message: call('test_trigger_resource_update') })
  await bridge.ask({ ...asked, message: call('test_trigger_tool_change') })
  await until(() =>
    streams.every((id) =>
      bridge.messages(id).some(({ json }) => json.method === 'notifications/tools/list_changed'),
    ),
  )

  const methods = (id: string) => new Set(bridge.messages(id).map(({ json }) => json.method))
  expect(methods(streams[0] ?? '')).toEqual(
    new Set(['notifications/resources/updated', 'notifications/tools/list_changed']),
  )
  expect(methods(streams[1] ?? '')).toEqual(new Set(['notifications/tools/list_changed']))
  expect(bridge.messages(streams[0] ?? '')[0]?.json.params).toEqual({ uri })

  expect((await subscribe('resources/unsubscribe')).json).toMatchObject({ result: {} })
})

test('[ERA.12] a client can cancel a request that asks it', async () => {
  const bridge = await runFixture('v2-modern')

  const id = bridge.open({ ...asked, message: call('test_sampling', { prompt: 'x' }, 'c') })
  await bridge.message(id)
  await bridge.note({ ...asked, message: notification('notifications/cancelled', { requestId: 'c' }) })

  expect(await bridge.end(id)).toMatchObject({ code: 'call_cancelled' })
})
