import { expect, test } from 'vitest'
import { MAX_STANDING, MAX_STREAMS } from '../../src/exchanges/session.ts'
import { MAX_KEPT, MAX_KEPT_BYTES } from '../../src/exchanges/stream.ts'
import { Bridge, call, request } from '../support/exchanges.ts'
import { type FakeInstance, FakeServer, tokenOf } from '../support/fake-server.ts'
import { until } from '../support/until.ts'

const session = { id: 's1', traits: [] }
const CHANGED = 'notifications/tools/list_changed'

interface Running {
  readonly bridge: Bridge
  readonly instance: FakeInstance
  readonly id: string
  /** Sends progress of the request. */
  progress(done: number): void
  answer(): void
}

/** A request of a session that wants progress. */
async function running(bridge = new Bridge(new FakeServer(), 'fake')): Promise<Running> {
  const instance = (bridge.server as FakeServer).instance()
  const before = instance.received.length
  const id = bridge.open({ session, message: call('t', {}, before, { progressToken: 'p' }) })
  const received = await until(() => instance.received[before])
  const progressToken = tokenOf(received)
  return {
    ...{ bridge, instance, id },
    progress: (progress) => instance.says('notifications/progress', { progressToken, progress }),
    answer: () => received.answer({ ok: true }),
  }
}

const numbers = (bridge: Bridge, id: string) => bridge.messages(id).map(({ number }) => number)
const shown = (bridge: Bridge, id: string) =>
  bridge.messages(id).map(({ json }) => (json.params as { progress: number }).progress)

test('[STREAM.20] numbers the messages of a session and the end from 1, for each request', async () => {
  const one = await running()
  const other = await running(one.bridge)
  for (const each of [one, other]) {
    each.progress(1)
    each.progress(2)
    each.answer()
    expect(await each.bridge.end(each.id)).toMatchObject({ number: 3, json: { result: { ok: true } } })
    expect(numbers(each.bridge, each.id)).toEqual([1, 2])
  }
})

test('[STREAM.21] reads a stream on from the last number, and continues with what follows', async () => {
  const { bridge, id, progress, answer } = await running()
  progress(1)
  progress(2)
  bridge.send('detach', id)
  progress(3)
  const resumed = bridge.open({ kind: 'stream', session, resume: { id, after: 1 } })
  progress(4)
  answer()

  expect(await bridge.end(resumed)).toMatchObject({ number: 5, json: { result: { ok: true } } })
  expect(bridge.frames.find((frame) => frame.id === resumed)?.type).toBe('accepted')
  expect(numbers(bridge, resumed)).toEqual([2, 3, 4])
  expect(shown(bridge, resumed)).toEqual([2, 3, 4])
  expect(numbers(bridge, id)).toEqual([1, 2])
})

test('[STREAM.21] reads on an exchange that itself read on', async () => {
  const { bridge, id, progress, answer } = await running()
  progress(1)
  bridge.send('detach', id)
  const second = bridge.open({ kind: 'stream', session, resume: { id, after: 0 } })
  bridge.send('detach', second)
  progress(2)
  answer()
  const third = bridge.open({ kind: 'stream', session, resume: { id: second, after: 1 } })

  expect(await bridge.end(third)).toMatchObject({ number: 3, json: { result: { ok: true } } })
  expect(numbers(bridge, third)).toEqual([2])
})

test('[STREAM.21] ends the reading of the earlier reader, who may have lost its connection', async () => {
  const { bridge, id } = await running()
  const other = bridge.open({ kind: 'stream', session, resume: { id, after: 0 } })
  expect(await bridge.end(id)).toMatchObject({ status: 200, message: undefined })
  expect(bridge.frames.some((frame) => frame.type === 'end' && frame.id === other)).toBe(false)
})

test('[STREAM.22] refuses to read on an unknown stream, one that is done, and numbers that are gone or to come', async () => {
  const { bridge, id, progress, answer } = await running()
  progress(1)
  bridge.send('detach', id)
  const resume = (of: string, after: number) =>
    bridge.ask({ kind: 'stream', session, resume: { id: of, after } })

  expect(await resume('never', 0)).toMatchObject({ status: 400, code: 'stream_unknown' })
  expect(await resume(id, 2)).toMatchObject({ status: 400, code: 'stream_unknown' })
  answer()
  await until(() => bridge.events.some(({ type }) => type === 'call-finished'))
  expect(await resume(id, 0)).toMatchObject({ status: 200, number: 2 })
  bridge.send('done', id)
  expect(await resume(id, 0)).toMatchObject({ status: 400, code: 'stream_unknown' })
})

test.each([
  ['messages', MAX_KEPT + 1, ''],
  ['bytes', 9, 'x'.repeat(MAX_KEPT_BYTES / 8)],
])('[STREAM.22] drops the oldest messages beyond its limit of %s, and says so', async (_, count, text) => {
  const { bridge, id, instance, progress } = await running()
  bridge.send('detach', id)
  progress(0)
  const progressToken = tokenOf(instance.received[0])
  for (let at = 0; at < count; at++)
    instance.says('notifications/progress', { progressToken, progress: at, message: text })

  const resume = (after: number) => bridge.open({ kind: 'stream', session, resume: { id, after } })
  expect(await bridge.end(resume(0))).toMatchObject({ code: 'stream_unknown' })
  const kept = resume(count - 2)
  expect(numbers(bridge, kept)).toEqual([count - 1, count, count + 1])
})

test('[STREAM.22] keeps a bounded number of streams for each session', async () => {
  const bridge = new Bridge(new FakeServer(), 'fake')
  const ids: string[] = []
  for (let at = 0; at < MAX_STREAMS + 1; at++) {
    const each = await running(bridge)
    each.answer()
    await bridge.end(each.id)
    ids.push(each.id)
  }
  const resume = (at: number) =>
    bridge.ask({ kind: 'stream', session, resume: { id: ids[at] as string, after: 0 } })
  expect(await resume(0)).toMatchObject({ code: 'stream_unknown' })
  expect(await resume(MAX_STREAMS)).toMatchObject({ json: { result: { ok: true } } })
})

test('[STREAM.23] gives messages that belong to no request to the reader of the session, and keeps them before', async () => {
  const { bridge, instance, answer, id } = await running()
  answer()
  await bridge.end(id)
  instance.says(CHANGED)
  instance.says('notifications/prompts/list_changed')

  const first = bridge.open({ kind: 'stream', session })
  expect(bridge.messages(first).map(({ number, json }) => [number, json.method])).toEqual([
    [1, CHANGED],
    [2, 'notifications/prompts/list_changed'],
  ])
  bridge.send('detach', first)
  instance.says(CHANGED)
  const second = bridge.open({ kind: 'stream', session })
  instance.says('notifications/resources/list_changed')
  expect(bridge.messages(second).map(({ number, json }) => [number, json.method])).toEqual([
    [1, CHANGED],
    [2, 'notifications/resources/list_changed'],
  ])
  const third = bridge.open({ kind: 'stream', session, resume: { id: first, after: 1 } })
  expect(bridge.messages(third).map(({ number }) => number)).toEqual([2, 3, 4])
})

test('[STREAM.23] ends the reading of the older of two readers', async () => {
  const bridge = new Bridge(new FakeServer(), 'fake')
  const first = bridge.open({ kind: 'stream', session })
  const second = bridge.open({ kind: 'stream', session })
  expect(await bridge.end(first)).toMatchObject({ status: 200, message: undefined })
  bridge.send('cancel', second)
  expect(await bridge.end(second)).toMatchObject({ status: 200 })
})

test('[STREAM.23] keeps few messages while nobody reads, and one of several that are equal', async () => {
  const { bridge, instance, answer, id } = await running()
  answer()
  await bridge.end(id)
  for (let at = 0; at < 5; at++) instance.says(CHANGED)
  const first = bridge.open({ kind: 'stream', session })
  expect(numbers(bridge, first)).toEqual([1])
  bridge.send('detach', first)

  for (let at = 0; at < 2 * MAX_STANDING; at++)
    instance.says(at % 2 === 0 ? CHANGED : 'notifications/prompts/list_changed')
  expect(await bridge.ask({ kind: 'stream', session, resume: { id: first, after: 1 } })).toMatchObject({
    code: 'stream_unknown',
  })
  const later = bridge.open({ kind: 'stream', session })
  expect(numbers(bridge, later)).toEqual(Array.from({ length: MAX_STANDING }, (_, at) => at + 1))
  instance.says('notifications/resources/list_changed')
  expect(numbers(bridge, later)).toHaveLength(MAX_STANDING + 1)
})

test('[STREAM.24] ends nothing when the connection ends; the caller reads on through the next', async () => {
  const { bridge, id, progress, answer } = await running()
  progress(1)
  const stateless = bridge.open({ message: request('tools/list') })
  bridge.exchanges.disconnected()
  progress(2)
  answer()
  await until(() => bridge.events.some(({ type }) => type === 'call-finished'))
  expect(bridge.frames.some((frame) => frame.type === 'end' && frame.id === stateless)).toBe(false)

  bridge.connect()
  const resumed = bridge.open({ kind: 'stream', session, resume: { id, after: 1 } })
  expect(await bridge.end(resumed)).toMatchObject({ number: 3, json: { result: { ok: true } } })
  expect(shown(bridge, resumed)).toEqual([2])
})

test('[STREAM.24] cancels requests without a session when the connection ends', async () => {
  const server = new FakeServer()
  const bridge = new Bridge(server, 'fake')
  bridge.open({ message: request('tools/list') })
  const received = await until(() => server.instance().received[0])
  bridge.exchanges.disconnected()
  expect(received.signal.aborted).toBe(true)
})

test('[STREAM.22] drops the streams that were not written to for longest, beyond 16 MiB of a session', async () => {
  const bridge = new Bridge(new FakeServer(), 'fake')
  const instance = (bridge.server as FakeServer).instance()
  const text = 'x'.repeat(MAX_KEPT_BYTES / 8)
  const ids: string[] = []
  for (let at = 0; at < 5; at++) {
    const each = await running(bridge)
    ids.push(each.id)
    bridge.send('detach', each.id)
    const progressToken = tokenOf(instance.received[at])
    for (let count = 0; count < 7; count++)
      instance.says('notifications/progress', { progressToken, progress: count, message: text })
  }
  const resume = (at: number) =>
    bridge.open({ kind: 'stream', session, resume: { id: ids[at] as string, after: 0 } })
  expect(await bridge.end(resume(0))).toMatchObject({ code: 'stream_unknown' })
  for (const at of [1, 2, 3, 4]) expect(numbers(bridge, resume(at))).toHaveLength(7)
})

test('[STREAM.22] drops no stream of a client with little when another client keeps too much', async () => {
  const bridge = new Bridge(new FakeServer(), 'fake')
  const instance = (bridge.server as FakeServer).instance()
  const text = 'x'.repeat(MAX_KEPT_BYTES / 8)
  const keep = async (client: string, of: string): Promise<string> => {
    const at = instance.received.length
    const facts = { client, session: { id: of, traits: [] } }
    const id = bridge.open({ ...facts, message: call('t', {}, at, { progressToken: 'p' }) })
    const progressToken = tokenOf(await until(() => instance.received[at]))
    bridge.send('detach', id)
    for (let count = 0; count < 7; count++)
      instance.says('notifications/progress', { progressToken, progress: count, message: text })
    return id
  }
  const own = await keep('ann', 's1')
  const greedy: string[] = []
  for (let at = 0; at < 20; at++) greedy.push(await keep('eve', `e${Math.floor(at / 4)}`))
  const resume = (client: string, of: string, id = '') =>
    bridge.open({ kind: 'stream', client, session: { id: of, traits: [] }, resume: { id, after: 0 } })
  expect(numbers(bridge, resume('ann', 's1', own))).toHaveLength(7)
  expect(await bridge.end(resume('eve', 'e0', greedy[0]))).toMatchObject({ code: 'stream_unknown' })
})
