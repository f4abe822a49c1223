import { expect, test } from 'vitest'
import { ACKNOWLEDGED } from '../../src/eras/listen-2026.ts'
import type { ExchangeServers } from '../../src/exchanges/server-port.ts'
import type { InstanceKey } from '../../src/servers/instance.ts'
import { Bridge, call, request } from '../support/exchanges.ts'
import { FakeServer } from '../support/fake-server.ts'
import { until } from '../support/until.ts'

const UPDATED = 'notifications/resources/updated'
const session = { id: 's', traits: [] }
const uri = 'file:///x'

/** A server whose entry can be changed or removed. */
function setUp(old = new FakeServer()) {
  let server: FakeServer | undefined = old
  const servers: ExchangeServers = { find: (name) => server?.find(name) }
  const bridge = new Bridge(servers, 'fake')
  const replace = (next: FakeServer | undefined) => {
    server = next
    bridge.exchanges.serverStopped('fake', next)
  }
  return { old, bridge, replace }
}

test('[CONFIG.21] ends the requests and streams of a removed server with a code', async () => {
  const { old, bridge, replace } = setUp()
  const ids = [bridge.open({ session, message: call('t') }), bridge.open({ message: call('t') })]
  const stream = bridge.open({ kind: 'stream', session })
  await until(() => old.instance().received.length === 2)
  replace(undefined)
  for (const id of ids) expect(await bridge.end(id)).toMatchObject({ status: 502, code: 'server_exited' })
  expect((await bridge.end(ids[0] ?? '')).error).toContain(
    'Its entry in the config file was changed or removed.',
  )
  expect(old.instance().received.every(({ signal }) => signal.aborted)).toBe(true)
  expect(await bridge.end(stream)).toMatchObject({ status: 404, code: 'server_not_found' })
  expect(await bridge.ask({ session, message: call('t') })).toMatchObject({ code: 'server_not_found' })
  const events = bridge.events.filter(({ type }) => type === 'call-finished')
  expect(events).toMatchObject([{ outcome: 'server_exited' }, { outcome: 'server_exited' }])
})

test('[CONFIG.21] sessions and their subscriptions continue at a server that is changed', async () => {
  const { old, bridge, replace } = setUp()
  const stream = bridge.open({ kind: 'stream', session })
  await bridge.ask({ session, message: request('resources/subscribe', { uri }) })
  await bridge.ask({ session, message: request('logging/setLevel', { level: 'error' }) })
  const id = bridge.open({ session, message: call('t') })
  await until(() => old.instance().received[0])
  const next = new FakeServer()
  replace(next)
  expect(await bridge.end(id)).toMatchObject({ code: 'server_exited' })
  old.instance().end()

  const instance = await until(() => next.started[0])
  await until(() => instance.agentRequests.length === 2)
  expect(instance.agentRequests).toEqual([
    { method: 'logging/setLevel', params: { level: 'error' } },
    { method: 'resources/subscribe', params: { uri } },
  ])
  expect(old.started).toHaveLength(1)
  old.instance().says(UPDATED, { uri })
  instance.says(UPDATED, { uri })
  expect((await bridge.message(stream)).json).toMatchObject({ method: UPDATED })
  const again = bridge.open({ session, message: call('t') })
  const received = await until(() => instance.received[0])
  received.answer({ ok: true })
  expect(await bridge.end(again)).toMatchObject({ json: { result: { ok: true } } })
  expect(bridge.messages(stream)).toHaveLength(1)
})

/** A server that speaks only the 2026 era. */
class Modern extends FakeServer {
  override async shared(key: InstanceKey) {
    return key.era === '2025' ? ({ fault: 'era' } as const) : super.shared(key)
  }
}

test('[CONFIG.21] sessions of the 2025 era listen again at a changed server of the 2026 era', async () => {
  const { old, bridge, replace } = setUp(new Modern())
  const subscribing = bridge.ask({ session, message: request('resources/subscribe', { uri }) })
  const listening = await until(() => old.instance('2026').received[0])
  const key = 'io.modelcontextprotocol/subscriptionId'
  old.instance('2026').says(ACKNOWLEDGED, { notifications: {}, _meta: { [key]: listening.id } })
  expect(await subscribing).toMatchObject({ json: { result: {} } })

  const next = new Modern()
  replace(next)
  expect(listening.signal.aborted).toBe(true)
  const again = await until(() => next.instance('2026').received[0])
  expect(again).toMatchObject({
    method: 'subscriptions/listen',
    params: { notifications: { resourceSubscriptions: [uri] } },
  })
  expect(old.instance('2026').received).toHaveLength(1)
})
