import { expect, test } from 'vitest'
import { Bridge, call, request } from '../support/exchanges.ts'
import { FakeServer } from '../support/fake-server.ts'
import { until } from '../support/until.ts'

const session = (id: string) => ({ id, traits: [] })

function setUp() {
  const server = new FakeServer()
  const bridge = new Bridge(server, 'fake')
  const revoke = (client: string): void => bridge.exchanges.receive({ type: 'revoke', client })
  return { server, bridge, revoke, instance: server.instance() }
}

test('[EXCH.12] cancels the requests of a revoked client, also those without a reader', async () => {
  const { bridge, revoke, instance } = setUp()
  const read = bridge.open({ client: 'eve', message: call('t') })
  const left = bridge.open({ client: 'eve', session: session('e'), message: call('t') })
  bridge.send('detach', left)
  bridge.open({ client: 'ann', session: session('a'), message: call('t') })
  await until(() => instance.received.length === 3)
  revoke('eve')
  expect(instance.received.map(({ signal }) => signal.aborted)).toEqual([true, true, false])
  expect(await bridge.end(read)).toMatchObject({ code: 'call_cancelled' })
})

test('[EXCH.12] ends the sessions of a revoked client, and forgets their subscriptions', async () => {
  const { bridge, revoke, instance } = setUp()
  const uri = 'file:///x'
  await bridge.ask({ client: 'eve', session: session('e'), message: request('resources/subscribe', { uri }) })
  const streams = ['eve', 'ann'].map((client) =>
    bridge.open({ kind: 'stream', client, session: session(client) }),
  )
  revoke('eve')
  expect(await bridge.end(streams[0] as string)).toMatchObject({ status: 404, code: 'session_unknown' })
  expect(instance.agentRequests.map(({ method }) => method)).toEqual([
    'resources/subscribe',
    'resources/unsubscribe',
  ])
  instance.says('notifications/tools/list_changed')
  expect(bridge.messages(streams[1] as string)).toHaveLength(1)
})

test('[SESS.9] ends one session when its client ended it while the machine was away', async () => {
  const { bridge, instance } = setUp()
  for (const id of ['one', 'two', 'three'])
    bridge.open({ client: 'ann', session: session(id), message: call('t') })
  await until(() => instance.received.length === 3)
  bridge.exchanges.disconnected()
  bridge.connect()
  bridge.exchanges.receive({ type: 'end_session', client: 'ann', session: 'one' })
  bridge.exchanges.receive({ type: 'end_session', client: 'eve', session: 'two' })
  expect(instance.received.map(({ signal }) => signal.aborted)).toEqual([true, false, false])
  const again = bridge.open({ client: 'ann', session: session('one'), message: call('t') })
  expect(await bridge.end(again)).toMatchObject({ status: 404, code: 'session_unknown' })
})

test('[EXCH.12] cancels the tasks of a revoked client at their server', async () => {
  const { bridge, revoke, instance } = setUp()
  for (const client of ['eve', 'ann']) {
    const at = instance.received.length
    const id = bridge.open({ client, message: request('tools/call', { name: 't', arguments: {}, task: {} }) })
    const received = await until(() => instance.received[at])
    received.answer({ task: { taskId: `task of ${client}`, status: 'working' } })
    await bridge.end(id)
  }
  expect(instance.holds).toBe(2)
  revoke('eve')
  expect(instance.received.slice(2).map(({ method, params }) => [method, params])).toEqual([
    ['tasks/cancel', { taskId: 'task of eve' }],
  ])
  expect(instance.holds).toBe(1)
})
