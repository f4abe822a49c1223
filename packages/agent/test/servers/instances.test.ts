import { expect, test } from 'vitest'
import { IDLE_MS, MAX_INSTANCES } from '../../src/servers/instance-table.ts'
import { FakeChild, settled } from '../support/fake-child.ts'
import { child, fakeInstances, key, messagesOf, ok } from '../support/fake-instances.ts'

const never = new AbortController().signal
const dual = child({ eras: ['2025', '2026'] })
const modern = child({ eras: ['2026'] })

/** Keys of different instances that need no lease. */
const KEYS = [
  key('2026'),
  key('2025', 'roots'),
  key('2025', 'tasks'),
  key('2025', 'roots', 'tasks'),
  key('2025', 'sampling'),
  key('2025', 'elicitation-form'),
  key('2025', 'elicitation-url'),
  key('2025', 'roots', 'sampling'),
]

test('[INST.2] starts one process for twenty cold clients of a key, and none for the key of the first', async () => {
  const { children, instances, shared } = await fakeInstances([dual, dual, dual])
  const first = await shared(key('2025'))
  const asked = Array.from({ length: 20 }, () => instances.shared(key('2026')))
  const started = await Promise.all(asked)
  expect([new Set(started).size, children.length]).toEqual([1, 2])
  expect(await shared(key('2025'))).toBe(first)
  // Clients that declare the same in another order share an instance.
  const sampling = await shared(key('2025', 'sampling', 'roots'))
  expect(await shared(key('2025', 'roots', 'sampling'))).toBe(sampling)
  // Clients of the 2026 era declare with each request.
  expect(await shared(key('2026', 'sampling'))).toBe(ok(started[0] ?? expect.fail()))
  expect(children).toHaveLength(3)
})

test('[INST.2] waits for the first start, and reports why it failed', async () => {
  const { children, instances, system } = await fakeInstances([child({ speaks: false })])
  const waiting = instances.shared(key('2025'))
  children[0]?.end(3)
  expect(await waiting).toEqual({
    fault: 'unavailable',
    reason: 'It ended during its start with exit code 3.',
  })
  await system.advance(500)
  await settled()
  expect(await instances.shared(key('2025'))).toMatchObject({ version: '2024-11-05' })
})

test('[INST.3] declares to each instance what its callers declare', async () => {
  const { childOf, shared } = await fakeInstances()
  const declared = async (...wanted: Parameters<typeof key>) => {
    const [request = expect.fail()] = childOf(await shared(key(...wanted))).requests('initialize')
    return (request.params as { capabilities: unknown }).capabilities
  }
  expect(await declared('2025')).toEqual({})
  expect(await declared('2025', 'sampling')).toEqual({ sampling: {} })
  expect(await declared('2025', 'sampling', 'sampling-tools', 'sampling-context')).toEqual({
    sampling: { tools: {}, context: {} },
  })
  expect(await declared('2025', 'elicitation-form', 'roots')).toEqual({
    elicitation: { form: {} },
    roots: { listChanged: false },
  })
  expect(await declared('2025', 'elicitation-form', 'elicitation-url', 'sampling', 'tasks')).toEqual({
    elicitation: { form: {}, url: {} },
    sampling: {},
    tasks: {
      list: {},
      cancel: {},
      requests: { elicitation: { create: {} }, sampling: { createMessage: {} } },
    },
  })
  expect(await declared('2025', 'tasks')).toEqual({ tasks: { list: {}, cancel: {}, requests: {} } })
})

test('[INST.1] asks once for the 2026 era, remembers a refusal until the first process ends', async () => {
  const { children, instances, system, named } = await fakeInstances()
  const started = await Promise.all([instances.shared(key('2026')), instances.shared(key('2026'))])
  expect(started).toMatchObject([{ fault: 'era' }, { fault: 'era' }])
  expect(await instances.shared(key('2026'))).toMatchObject({ fault: 'era' })
  expect([children.length, instances.eras]).toEqual([2, { 2025: true, 2026: false }])
  children[0]?.end(1)
  await settled()
  expect(instances.eras).toEqual({})
  await system.advance(500)
  await settled()
  expect(await instances.shared(key('2026'))).toMatchObject({ fault: 'era' })
  expect(children).toHaveLength(4)
  // It is no failure.
  expect(named('server-instance-failed')).toEqual([])
})

test.each([
  ['stays silent', child({ speaks: false }), 14_999],
  ['exits', child({ speaks: false }), 0],
] as const)('[INST.1] takes a server that %s for one of the 2025 era', async (how, next, silentMs) => {
  const { children, instances, system } = await fakeInstances([() => new FakeChild(), next])
  let fault: unknown
  void instances.shared(key('2026')).then((started) => (fault = started))
  await settled()
  await system.advance(silentMs)
  await settled()
  expect(fault).toBeUndefined()
  if (how === 'exits') children[1]?.end(1)
  else await system.advance(1)
  await settled()
  expect([fault, instances.eras]).toMatchObject([{ fault: 'era' }, { 2025: true, 2026: false }])
})

test('[INST.1] is ready with a server of the 2026 era only, in the same process', async () => {
  const { children, instances, servers, shared, call } = await fakeInstances([modern])
  expect(children).toHaveLength(1)
  expect(servers.catalog()[0]).toMatchObject({ state: 'ready', eras: ['2026'], tools: { length: 1 } })
  expect(await instances.shared(key('2025', 'roots'))).toMatchObject({ fault: 'era' })
  expect(await instances.lease(key('2025', 'sampling'), {}, { signal: never })).toEqual({ fault: 'era' })
  expect(children).toHaveLength(1)
  expect(await shared(key('2026'))).toMatchObject({ key: { era: '2026' }, version: '2026-07-28' })
  const envelope = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'bridgekeeper', version: expect.any(String) },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  expect(children[0]?.requests('tools/list')[0]?.params).toEqual({ _meta: envelope })
  void call()
  expect(children[0]?.requests('tools/call')[0]?.params).toMatchObject({ _meta: envelope })
})

test('[INST.1] finds the 2026 era of a server that exits at every initialize', async () => {
  const { children, servers, system } = await fakeInstances([
    child({ speaks: false }),
    child({ speaks: false }),
    modern,
  ])
  for (const at of [0, 1]) {
    children[at]?.end(1)
    await settled()
    await system.advance(1_000)
    await settled()
  }
  expect(children[2]?.lines[0]?.method).toBe('server/discover')
  expect(servers.catalog()[0]).toMatchObject({ state: 'ready', eras: ['2026'] })
})

test('[INST.1] offers a version that the server names before it tries the 2026 era', async () => {
  const { children, system } = await fakeInstances([child({ speaks: false })])
  const refuse = (data: object) => {
    const id = children[0]?.lines.at(-1)?.id
    children[0]?.write(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32_022, message: 'no', data } }))
  }
  refuse({ supported: ['2026-07-28', '2025-03-26'] })
  await settled()
  expect(children[0]?.lines.at(-1)).toMatchObject({
    method: 'initialize',
    params: { protocolVersion: '2025-03-26' },
  })
  children[0]?.end(1)
  await settled()
  await system.advance(0)
})

test('[INST.1] speaks only the era that the entry names', async () => {
  const legacy = await fakeInstances([dual], { era: '2025' })
  expect(await legacy.instances.shared(key('2026'))).toMatchObject({ fault: 'era' })
  expect([legacy.children.length, legacy.instances.eras]).toEqual([1, { 2025: true, 2026: false }])
  const other = await fakeInstances([dual], { era: '2026' })
  expect(await other.instances.shared(key('2025'))).toMatchObject({ fault: 'era' })
  expect(other.children[0]?.requests('initialize')).toEqual([])
  expect(other.servers.catalog()[0]).toMatchObject({ state: 'ready', eras: ['2026'] })
})

test('[TOOLS.5] subscribes to changes of the tools of a server of the 2026 era', async () => {
  const { children, named, system } = await fakeInstances([modern])
  const [process] = children
  expect(process?.requests('subscriptions/listen')).toMatchObject([
    { params: { notifications: { toolsListChanged: true } } },
  ])
  if (process !== undefined) process.tools = []
  process?.write('{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}')
  await settled()
  await system.advance(50)
  expect(named('server-tools-changed')).toMatchObject([{ tools: 0 }])
})

test('[INST.4] hands on requests and notifications of the server as bytes, also those from before its first reader', async () => {
  const { childOf, shared } = await fakeInstances()
  const instance = await shared(key('2025', 'roots'))
  const process = childOf(instance)
  const early = '{"jsonrpc":"2.0","id":"a b","method":"roots/list"}'
  const log = '{"jsonrpc":"2.0", "method":"notifications/message", "params":{"data":1.0}}'
  process.write(early)
  await settled()
  const messages = messagesOf(instance)
  process.write(log)
  process.write('{"jsonrpc":"2.0","id":7,"method":"ping"}')
  await settled()
  expect(messages).toEqual([
    { method: 'roots/list', id: Buffer.from('"a b"'), params: undefined, raw: Buffer.from(early) },
    {
      method: 'notifications/message',
      id: undefined,
      params: Buffer.from('{"data":1.0}'),
      raw: Buffer.from(log),
    },
  ])
  instance.answer(Buffer.from('"a b"'), 'result', Buffer.from('{"roots":\n[]}'))
  instance.answer(Buffer.from('8'), 'error', Buffer.from('{"code":1,"message":"m"}'))
  await settled()
  expect(process.lines.slice(-3)).toEqual([
    { jsonrpc: '2.0', id: 7, result: {} },
    { jsonrpc: '2.0', id: 'a b', result: { roots: [] } },
    { jsonrpc: '2.0', id: 8, error: { code: 1, message: 'm' } },
  ])
})

test('[INST.4] refuses requests of a server to which nothing was declared, and those beyond 64 without a reader', async () => {
  const { children, childOf, shared } = await fakeInstances()
  const request = (id: number) => `{"jsonrpc":"2.0","id":${id},"method":"roots/list"}`
  const refusal = (id: number) => ({
    ...{ jsonrpc: '2.0', id },
    error: { code: -32_601, message: 'Method not found' },
  })
  children[0]?.write(request(5))
  const instance = await shared(key('2025', 'roots'))
  const process = childOf(instance)
  for (let id = 1; id <= 65; id++) process.write(request(id))
  await settled()
  expect(children[0]?.lines.at(-1)).toEqual(refusal(5))
  expect(process.lines.slice(2)).toEqual([refusal(65)])
  expect(messagesOf(instance)).toHaveLength(64)
})

test('[INST.4] keeps at most 1 MiB of messages for the first reader', async () => {
  const { childOf, shared } = await fakeInstances()
  const instance = await shared(key('2025', 'roots'))
  const log = { jsonrpc: '2.0', method: 'notifications/message', params: { data: 'x'.repeat(300_000) } }
  for (let count = 0; count < 4; count++) childOf(instance).write(JSON.stringify(log))
  await settled()
  expect(messagesOf(instance)).toHaveLength(3)
})

test('[INST.4] sends requests and notifications with or without parameters, and tells the id first', async () => {
  const { childOf, shared } = await fakeInstances()
  const instance = await shared(key('2025'))
  const process = childOf(instance)
  const ids: number[] = []
  const answered = instance.request('tools/call', undefined, never, (id) => ids.push(id))
  expect(process.lines.at(-1)).toEqual({ jsonrpc: '2.0', id: ids[0], method: 'tools/call' })
  process.answer(ids[0], { ok: 1 })
  expect(await answered).toEqual({ kind: 'result', result: Buffer.from('{"ok":1}') })
  instance.notify('notifications/x', undefined)
  instance.notify('notifications/y', Buffer.from('{"a":\n1}'))
  expect(process.lines.slice(-2)).toEqual([
    { jsonrpc: '2.0', method: 'notifications/x' },
    { jsonrpc: '2.0', method: 'notifications/y', params: { a: 1 } },
  ])
})

test('[INST.9] drops notifications to a server that leaves 64 MiB unread', async () => {
  const { childOf, shared } = await fakeInstances()
  const instance = await shared(key('2025'))
  const { stdin } = childOf(instance)
  stdin.pause()
  const params = Buffer.from(`{"x":"${'x'.repeat(8 * 1_048_576)}"}`)
  for (let count = 0; count < 12; count++) instance.notify('notifications/x', params)
  expect(stdin.writableLength).toBeLessThan(9 * params.length)
  stdin.resume()
})

test('[INST.5] ends the process that is unused for longest when eight run, and refuses a ninth in use', async () => {
  const { children, childOf, instances, shared } = await fakeInstances(Array.from({ length: 12 }, () => dual))
  const used = []
  for (const wanted of KEYS.slice(0, MAX_INSTANCES - 1)) used.push(await shared(wanted))
  expect(children).toHaveLength(MAX_INSTANCES)
  const holds = used.slice(1).map((instance) => instance.hold())
  const [unused] = used
  const more = await shared(KEYS.at(-1) ?? expect.fail())
  holds.push(more.hold())
  expect(children.filter(({ exitCode }) => exitCode === null)).toHaveLength(MAX_INSTANCES)
  await unused?.ended
  expect(await instances.shared(key('2026'))).toEqual({
    fault: 'unavailable',
    reason: 'All its 8 processes are in use.',
  })
  holds[0]?.()
  expect(childOf(await shared(key('2026')))).toBe(children.at(-1))
  expect(children).toHaveLength(MAX_INSTANCES + 2)
})

test('[INST.6] ends a process that nobody used for five minutes, and starts it again when it is needed', async () => {
  const { children, childOf, shared, system, named } = await fakeInstances()
  const wanted = key('2025', 'roots')
  const instance = await shared(wanted)
  await system.advance(IDLE_MS - 1)
  const request = instance.request('tools/call', undefined, never)
  const release = instance.hold()
  await system.advance(2 * IDLE_MS)
  childOf(instance).answer(childOf(instance).lines.at(-1)?.id, {})
  await request
  await system.advance(2 * IDLE_MS)
  expect(await shared(wanted)).toBe(instance)
  release()
  await system.advance(IDLE_MS - 1)
  expect(children[1]?.exitCode).toBeNull()
  await system.advance(1)
  await instance.ended
  expect(children.map(({ exitCode }) => exitCode)).toEqual([null, 0])
  expect(await shared(wanted)).not.toBe(instance)
  expect([children.length, named('server-instance-failed')]).toEqual([3, []])
})

test('[INST.7] reports a process that fails, and keeps the server', async () => {
  const refuses = child({ eras: [] })
  const { children, instances, named, servers, shared } = await fakeInstances([
    () => new FakeChild(),
    refuses,
  ])
  const reason = 'It was stopped, because it refused to be initialized: unknown.'
  expect(await instances.shared(key('2025', 'roots'))).toEqual({ fault: 'unavailable', reason })
  expect(named('server-instance-failed')).toMatchObject([{ name: 's', reason, ignoredLines: 0 }])
  const instance = await shared(key('2025', 'roots'))
  const request = instance.request('tools/call', undefined, never)
  children[2]?.stderr.write('last words')
  await settled()
  children[2]?.end(9)
  expect(await request).toEqual({ kind: 'ended' })
  await instance.ended
  await settled()
  expect(named('server-instance-failed')[1]).toMatchObject({
    reason: 'It ended with exit code 9.',
    stderr: 'last words',
  })
  expect(servers.catalog()[0]?.state).toBe('ready')
  expect(await shared(key('2025', 'roots'))).not.toBe(instance)
})

test('[INST.8] ends all processes of a server with its first one, and when it stops', async () => {
  const { children, instances, servers, shared, system, named } = await fakeInstances([dual, dual, dual])
  const others = [await shared(key('2026')), await shared(key('2025', 'roots'))]
  children[0]?.end(1)
  await Promise.all(others.map(({ ended }) => ended))
  await settled()
  await system.advance(500)
  await settled()
  await shared(key('2025', 'roots'))
  expect([children.length, named('server-instance-failed')]).toEqual([5, []])
  await servers.stop()
  expect(children.filter(({ exitCode }) => exitCode === null)).toEqual([])
  expect(await instances.shared(key('2025'))).toEqual({ fault: 'unavailable', reason: 'It was stopped.' })
})

test('[INST.8] starts no process while the server stops', async () => {
  const stubborn = { endsWithInput: false, endsAt: 'SIGKILL' }
  const { children, instances, servers, system } = await fakeInstances([child(stubborn)])
  const before = instances.shared(key('2025', 'roots'))
  const stopped = servers.stop()
  const during = instances.shared(key('2025', 'tasks'))
  expect(await Promise.all([before, during])).toMatchObject([
    { fault: 'unavailable' },
    { fault: 'unavailable' },
  ])
  await system.advance(10_000)
  await stopped
  expect(children).toHaveLength(1)
})

test('[INST.6] keeps a process that is held, however often another hold is ended', async () => {
  const { children, shared, system } = await fakeInstances()
  const instance = await shared(key('2025', 'roots'))
  const [release, keep] = [instance.hold(), instance.hold()]
  release()
  release()
  await system.advance(2 * IDLE_MS)
  expect(children[1]?.exitCode).toBeNull()
  keep()
  await system.advance(IDLE_MS)
  await instance.ended
})
