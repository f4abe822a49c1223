import { expect, test } from 'vitest'
import { type Bridge, call, envelope, request, runFixture } from '../support/exchanges.ts'

const session = { id: 's', traits: [] }
const logged = (bridge: Bridge, id: string) =>
  bridge.messages(id).map(({ json }) => (json.params as { data: string }).data)

test.each(['v1', 'v2'] as const)(
  '[SESS.23] gives a client the log of its call from the fixture on %s',
  async (form) => {
    const bridge = await runFixture(form)
    const setLevel = (level: string) =>
      bridge.ask({ session, message: request('logging/setLevel', { level }) })
    expect(await setLevel('info')).toMatchObject({ status: 200, json: { result: {} } })
    const id = bridge.open({ session, message: call('test_tool_with_logging') })
    await bridge.end(id)
    expect(logged(bridge, id)).toEqual([
      'Tool execution started',
      'Tool processing data',
      'Tool execution completed',
    ])
    await setLevel('error')
    const quiet = bridge.open({ session, message: call('test_logging_tool') })
    await bridge.end(quiet)
    expect(logged(bridge, quiet)).toEqual([])
  },
)

test.each(['v1', 'v2'] as const)(
  '[SESS.24] gives changes of a resource from the fixture on %s',
  async (form) => {
    const bridge = await runFixture(form)
    const uri = 'test://watched-resource'
    const reader = bridge.open({ kind: 'stream', session })
    const change = () => bridge.ask({ session, message: call('test_trigger_resource_update') })
    await change()
    await bridge.ask({ session, message: request('resources/subscribe', { uri }) })
    await change()
    await bridge.ask({ session, message: call('test_trigger_tool_change') })
    await bridge.message(reader, 2)
    expect(bridge.messages(reader).map(({ json }) => [json.method, json.params ?? {}])).toEqual([
      ['notifications/resources/updated', { uri }],
      ['notifications/tools/list_changed', {}],
    ])
  },
)

test('[EXCH.25] keeps a subscription of the fixture open until it is cancelled', async () => {
  const bridge = await runFixture('v2')
  const id = bridge.open({
    era: '2026',
    message: request(
      'subscriptions/listen',
      { notifications: { toolsListChanged: true }, _meta: envelope() },
      'mine',
    ),
  })
  const key = 'io.modelcontextprotocol/subscriptionId'
  expect((await bridge.message(id)).json).toMatchObject({
    ...{ method: 'notifications/subscriptions/acknowledged', params: { _meta: { [key]: 'mine' } } },
  })
  const change = request('tools/call', { name: 'test_trigger_tool_change', arguments: {}, _meta: envelope() })
  await bridge.ask({ era: '2026', message: change })
  expect((await bridge.message(id, 2)).json).toMatchObject({
    ...{ method: 'notifications/tools/list_changed', params: { _meta: { [key]: 'mine' } } },
  })
  bridge.send('cancel', id)
  expect(await bridge.end(id)).toMatchObject({ code: 'call_cancelled' })
})

test('[ASK.7] gives a server the roots of its client only if its entry says so', async () => {
  const traits = { id: 's', traits: ['roots' as const, 'sampling' as const] }
  const ask = call('test_input_required_result_list_roots')
  const closed = await runFixture('v1')
  expect(await closed.ask({ session: traits, message: ask })).toMatchObject({
    json: { result: { content: [{ text: '[]' }] } },
  })

  const fixed = await runFixture('v1', { roots: ['file:///work'] })
  expect(await fixed.ask({ message: ask })).toMatchObject({
    json: { result: { content: [{ text: '[{"uri":"file:///work"}]' }] } },
  })

  const open = await runFixture('v1', { clientRoots: true })
  const id = open.open({ session: traits, message: ask })
  const { json } = await open.message(id)
  const roots = [{ uri: 'file:///home' }]
  await open.note({ session: traits, message: { jsonrpc: '2.0', id: json.id, result: { roots } } })
  expect(await open.end(id)).toMatchObject({
    json: { result: { content: [{ text: JSON.stringify(roots) }] } },
  })
})
