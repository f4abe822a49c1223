import { expect, test } from 'vitest'
import { missingCapability, traitFor } from '../../src/eras/asks-2026.ts'
import { readClient } from '../../src/eras/client-2026.ts'
import type { Instance, InstanceFault, InstanceKey } from '../../src/servers/instance.ts'
import { Bridge, call, envelope, request, runFixture } from '../support/exchanges.ts'
import { FakeServer } from '../support/fake-server.ts'
import {
  ASKABLE,
  answersTo,
  ask2026,
  call2026,
  form,
  open2026,
  roundOf,
  said,
  textOf,
} from '../support/rounds.ts'
import { until } from '../support/until.ts'

const SERVER_INFO = {
  'io.modelcontextprotocol/serverInfo': { name: 'conformance-fixture', version: '1.0.0' },
}

test('[ERA.1] introduces a 2025 server to a 2026 client, and completes its results', async () => {
  const bridge = await runFixture('v1')

  const { status, json } = await ask2026(bridge, request('server/discover', { _meta: envelope() }))

  expect(status).toBe(200)
  expect(json?.result).toMatchObject({
    resultType: 'complete',
    ttlMs: 0,
    cacheScope: 'private',
    supportedVersions: ['2026-07-28'],
    capabilities: { tools: { listChanged: true }, logging: {} },
    instructions: 'Everything that the conformance suite asks of a server.',
    _meta: SERVER_INFO,
  })

  const list = await ask2026(bridge, request('tools/list', { _meta: envelope() }, 'a'))
  const called = await ask2026(bridge, call('test_simple_text', {}, 2, envelope()))

  expect(list.json).toMatchObject({
    id: 'a',
    result: { resultType: 'complete', ttlMs: 0, cacheScope: 'private', _meta: SERVER_INFO },
  })
  expect(called.json?.result).toEqual({
    resultType: 'complete',
    content: [{ type: 'text', text: 'This is a simple text response for testing.' }],
    _meta: SERVER_INFO,
  })
})

test('[ERA.2] answers methods that the 2026 era does not have with 404', async () => {
  const bridge = await runFixture('v1')

  for (const method of [
    'initialize',
    'ping',
    'logging/setLevel',
    'resources/subscribe',
    'tasks/get',
    'no/such',
  ]) {
    const end = await ask2026(bridge, request(method, { _meta: envelope() }))
    expect(end, method).toMatchObject({ status: 404, json: { error: { code: -32_601 } } })
  }
  const end = await ask2026(bridge, request('resources/read', { uri: 'test://none', _meta: envelope() }))
  expect(end).toMatchObject({ status: 200, json: { error: { code: -32_602 } } })
})

test('[ERA.3] asks the client in a round, and goes on with the same request', async () => {
  const bridge = await runFixture('v1')

  const first = await ask2026(bridge, call2026('test_input_required_result_multi_round'))
  const one = roundOf(first)
  expect(first.status).toBe(200)
  expect(one.inputRequests[one.keys[0] ?? '']).toMatchObject({
    method: 'elicitation/create',
    params: { message: 'Step 1: What is your name?' },
  })

  const answered = answersTo(one, form({ name: 'Ann' }))
  const two = roundOf(
    await ask2026(bridge, call2026('test_input_required_result_multi_round', {}, answered, 'again')),
  )
  expect(two.requestState).not.toBe(one.requestState)
  const end = await ask2026(
    bridge,
    call2026('test_input_required_result_multi_round', {}, answersTo(two, form({ color: 'blue' })), 3),
  )

  expect(end.json).toMatchObject({ id: 3, result: { resultType: 'complete' } })
  expect(textOf(end)).toBe('Ann likes blue.')
})

test('[ERA.3] gathers questions that come together, and asks again for the missing answers', async () => {
  const bridge = await runFixture('v1', { clientRoots: true })
  const tool = 'test_input_required_result_multiple_inputs'

  const one = roundOf(await ask2026(bridge, call2026(tool)))
  expect(Object.values(one.inputRequests).map(({ method }) => method)).toEqual([
    'elicitation/create',
    'sampling/createMessage',
    'roots/list',
  ])

  const two = roundOf(await ask2026(bridge, call2026(tool, {}, answersTo(one, form({ name: 'Ann' })))))
  expect(Object.values(two.inputRequests).map(({ method }) => method)).toEqual([
    'sampling/createMessage',
    'roots/list',
  ])
  const roots = { roots: [{ uri: 'file:///a' }] }
  const end = await ask2026(bridge, call2026(tool, {}, answersTo(two, said('hello'), roots)))

  expect(JSON.parse(textOf(end))).toMatchObject({ user_name: form({ name: 'Ann' }), client_roots: roots })
})

test.each([
  [{ sampling: {} }, ['sampling']],
  [{ sampling: { tools: {}, context: {} } }, ['sampling', 'sampling-tools', 'sampling-context']],
  [{ elicitation: {} }, ['elicitation-form']],
  [{ elicitation: { url: {} }, roots: {} }, ['elicitation-url', 'roots']],
])('[ERA.3] reads what a client that declares %j can be asked', (capabilities, traits) => {
  const params = Buffer.from(JSON.stringify({ _meta: envelope({}, capabilities) }))
  expect(readClient(params).traits).toEqual(traits)
})

test('[ERA.4] asks for tools only a client that samples with tools', () => {
  const traitOf = (params: object) => traitFor('sampling/createMessage', Buffer.from(JSON.stringify(params)))
  expect([traitOf({}), traitOf({ tools: [] }), traitOf({ toolChoice: {} })]).toEqual([
    'sampling',
    'sampling-tools',
    'sampling-tools',
  ])
  expect(missingCapability('sampling-tools')).toMatchObject({
    rpcError: Buffer.from(
      JSON.stringify({
        code: -32_021,
        message: 'The server needs a capability that the client did not declare.',
        data: { requiredCapabilities: { sampling: { tools: {} } } },
      }),
    ),
  })
})

test('[ERA.4] names the capability that the client did not declare', async () => {
  const bridge = await runFixture('v1')

  const end = await ask2026(bridge, call('test_missing_capability', {}, 1, envelope()))
  expect(end).toMatchObject({
    status: 400,
    json: { error: { code: -32_021, data: { requiredCapabilities: { sampling: {} } } } },
  })

  const other = envelope({}, { sampling: {} })
  const form = await ask2026(bridge, call('test_input_required_result_elicitation', {}, 1, other))
  expect(form.json?.error).toMatchObject({ data: { requiredCapabilities: { elicitation: { form: {} } } } })
})

/** A server that speaks only the 2025 era. */
class Older extends FakeServer {
  override async shared(key: InstanceKey): Promise<Instance | InstanceFault> {
    return key.era === '2026' ? { fault: 'era' } : super.shared(key)
  }
}

test('[ERA.4] cancels the request at the server, and refuses its question, if the client did not declare it', async () => {
  const server = new Older()
  const bridge = new Bridge(server, 'fake')
  const id = open2026(bridge, call('t', {}, 1, envelope()))
  const instance = server.instance('2025')
  const received = await until(() => instance.received[0])
  instance.says('sampling/createMessage', { messages: [] }, 'ask-1')

  expect(await bridge.end(id)).toMatchObject({ status: 400, json: { error: { code: -32_021 } } })
  expect(received.signal.aborted).toBe(true)
  expect(instance.answered).toMatchObject([{ id: 'ask-1', member: 'error' }])
})

test('[ERA.5] passes progress under the token of the round, and log messages of the wanted level', async () => {
  const bridge = await runFixture('v1')
  const meta = (more: object) => envelope({ 'io.modelcontextprotocol/logLevel': 'info', ...more })

  const progress = open2026(bridge, call('test_tool_with_progress', {}, 1, meta({ progressToken: 'p' })))
  await bridge.end(progress)
  const logged = open2026(bridge, call('test_tool_with_logging', {}, 1, meta({})))
  await bridge.end(logged)
  const silent = open2026(bridge, call('test_tool_with_logging', {}, 1, envelope()))
  await bridge.end(silent)

  expect(bridge.messages(progress).map(({ json }) => json.params)).toEqual(
    [0, 50, 100].map((done) => ({ progressToken: 'p', progress: done, total: 100 })),
  )
  expect(bridge.messages(logged).map(({ json }) => json.method)).toEqual(
    Array(3).fill('notifications/message'),
  )
  expect(bridge.messages(silent)).toEqual([])
})

test.each([null, [], { resourceSubscriptions: 'test://a' }, { resourceSubscriptions: [1] }])(
  '[ERA.6] refuses to listen for %j',
  async (notifications) => {
    const bridge = await runFixture('v1')
    const params = { notifications, _meta: envelope() }
    const { json } = await ask2026(bridge, request('subscriptions/listen', params))
    expect(json).toMatchObject({ id: 1, error: { code: -32_602 } })
  },
)

test('[ERA.6] listens for changes of lists and of resources at a 2025 server', async () => {
  const bridge = await runFixture('v1')
  const notifications = {
    toolsListChanged: true,
    promptsListChanged: false,
    resourceSubscriptions: ['test://watched-resource'],
  }

  const id = open2026(bridge, request('subscriptions/listen', { notifications, _meta: envelope() }, 'sub'))
  const { json } = await bridge.message(id)
  const _meta = { 'io.modelcontextprotocol/subscriptionId': 'sub' }
  expect(json).toMatchObject({
    method: 'notifications/subscriptions/acknowledged',
    params: {
      notifications: { toolsListChanged: true, resourceSubscriptions: ['test://watched-resource'] },
      _meta,
    },
  })
  for (const tool of ['tool_change', 'prompt_change', 'resource_update'])
    await ask2026(bridge, call(`test_trigger_${tool}`, {}, 1, envelope()))
  await until(() => bridge.messages(id).length >= 3)

  expect(bridge.messages(id).map((message) => message.json)).toMatchObject([
    {},
    { method: 'notifications/tools/list_changed', params: { _meta } },
    { method: 'notifications/resources/updated', params: { uri: 'test://watched-resource', _meta } },
  ])
  bridge.send('cancel', id)
  expect(await bridge.end(id)).toMatchObject({ code: 'call_cancelled' })
})

test('[ERA.7] refuses parameters that two readers could understand differently', async () => {
  const bridge = await runFixture('v1')
  const raw = JSON.stringify(call('test_simple_text', {}, 1, envelope())).replace(
    '"arguments":{}',
    '"arguments":{},"arguments":{"a":1}',
  )

  const end = await bridge.ask({ era: '2026', message: Buffer.from(raw) })

  expect(end).toMatchObject({ code: 'params_invalid' })
})

test('[ERA.3] lets the server ask during prompts/get', async () => {
  const bridge = await runFixture('v1')
  const params = { name: 'test_input_required_result_prompt', _meta: envelope({}, ASKABLE) }

  const round = roundOf(await ask2026(bridge, request('prompts/get', params)))
  const again = { ...params, ...answersTo(round, form({ context: 'c' })) }
  const end = await ask2026(bridge, request('prompts/get', again))

  expect(JSON.stringify(end.json?.result)).toContain('\\"context\\":\\"c\\"')
})
