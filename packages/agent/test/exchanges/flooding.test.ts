import { expect, test } from 'vitest'
import { Bridge, call } from '../support/exchanges.ts'
import { FakeServer, tokenOf } from '../support/fake-server.ts'
import { until } from '../support/until.ts'

const session = (id: string) => ({ id, traits: [] })
const LIST_CHANGED = 'notifications/tools/list_changed'

function setUp() {
  const server = new FakeServer()
  return { bridge: new Bridge(server, 'fake'), instance: server.instance() }
}

test.each([
  ['without a session', {}],
  ['in a session', { session: session('s') }],
])(
  '[EXCH.32] ends a request %s whose server sends more than the bridge reads, and no other',
  async (_, more) => {
    const { bridge, instance } = setUp()
    const [id, other] = [1, 2].map((token) =>
      bridge.open({ ...more, message: call('t', {}, token, { progressToken: token }) }),
    ) as [string, string]
    const [flooding, calm] = await until(() =>
      instance.received.length === 2 ? instance.received : undefined,
    )
    const progress = (received: typeof flooding): void =>
      instance.says('notifications/progress', { progressToken: tokenOf(received), progress: 1 })
    progress(flooding)
    bridge.flooding.add(id)
    progress(flooding)
    expect(await bridge.end(id)).toMatchObject({ status: 502, code: 'tool_failed' })
    expect([bridge.messages(id).length, flooding?.signal.aborted]).toEqual([1, true])
    progress(calm)
    expect([bridge.messages(other).length, calm?.signal.aborted]).toEqual([1, false])
  },
)

/** A session whose client reads messages that belong to no request. */
async function reading() {
  const { bridge, instance } = setUp()
  const first = bridge.open({ kind: 'stream', session: session('s') })
  bridge.open({ session: session('s'), message: call('t') })
  await until(() => instance.received.length === 1)
  return { bridge, instance, first }
}

test('[EXCH.32] ends the stream of a slow reader, which reads on later', async () => {
  const { bridge, instance, first } = await reading()
  instance.says(LIST_CHANGED)
  bridge.flooding.add(first)
  instance.says(LIST_CHANGED)
  expect(await bridge.end(first)).toMatchObject({ status: 200 })
  expect(bridge.messages(first)).toHaveLength(1)
  const second = bridge.open({ kind: 'stream', session: session('s'), resume: { id: first, after: 1 } })
  expect(bridge.messages(second).map(({ number }) => number)).toEqual([2])
})

test('[EXCH.32] ends a resumed stream that has more than the bridge reads', async () => {
  const { bridge, instance, first } = await reading()
  instance.says(LIST_CHANGED)
  bridge.flooding.add('later')
  bridge.open({ id: 'later', kind: 'stream', session: session('s'), resume: { id: first, after: 0 } })
  expect(await bridge.end('later')).toMatchObject({ status: 200 })
  expect(bridge.messages('later')).toEqual([])
})
