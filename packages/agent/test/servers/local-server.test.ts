import { expect, test } from 'vitest'
import type { ServerEntry, StdioEntry } from '../../src/config/entry.ts'
import type { LocalServer } from '../../src/servers/local-server.ts'
import { entry, FakeChild, runFakes, START_MS, settled, TOOL, type World } from '../support/fake-child.ts'
import { child, key } from '../support/fake-instances.ts'

/** Runs one server, whose processes are these. */
async function run(next: World['next'] = [], changes: Partial<StdioEntry> = {}) {
  const world: World = { children: [], happened: [], next, spawned: [] }
  const running = runFakes(world, [entry(changes) as ServerEntry])
  await settled()
  return { ...running, children: world.children, server: running.servers.find('s') as LocalServer }
}

const LIST_CHANGED = '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'
const reads = (process: FakeChild | undefined) => process?.requests('tools/list').length
const tools = (...names: string[]) => names.map((name) => ({ ...TOOL, name }))

test.each<[Partial<StdioEntry>, object, object]>([
  [{}, { kind: 'none' }, {}],
  [{ clientRoots: false }, { kind: 'none' }, {}],
  [{ clientRoots: true }, { kind: 'client' }, {}],
  [
    { roots: ['file:///a'], clientRoots: true },
    { kind: 'fixed', uris: ['file:///a'] },
    { roots: { listChanged: false } },
  ],
])(
  '[CONFIG.19] answers for the roots of an entry, and declares only these to the first process: %j',
  async (changes, policy, declared) => {
    const { children, server } = await run([], changes)
    expect(server.roots).toEqual(policy)
    expect(children[0]?.requests('initialize')[0]?.params).toMatchObject({ capabilities: declared })
    expect(children[0]?.requests('subscriptions/listen')).toEqual([])
  },
)

test('[TOOLS.1] gives the input schema of a listed tool, and lists no instructions if there are none', async () => {
  const { server, servers, call } = await run([child({ instructions: undefined })], {
    secrets: ['hush-hush'],
  })
  expect([server.inputSchema('echo'), server.inputSchema('no')]).toEqual([{ type: 'object' }, undefined])
  expect(server.hideSecrets('a hush-hush')).toBe('a [hidden]')
  expect(servers.catalog()).toStrictEqual([
    {
      ...{ state: 'ready', name: 's', serverInfo: '{"name":"fake","version":"1"}', eras: ['2025'] },
      capabilities: '{"tools":{"listChanged":true}}',
      tools: [{ hash: expect.any(String), name: 'echo', definition: JSON.stringify(TOOL) }],
    },
  ])
  await servers.stop()
  expect(server.inputSchema('echo')).toBeUndefined()
  expect(await call()).toMatchObject({ error: expect.stringMatching(/ It is stopped\.$/) })
  expect(await server.instances.shared(key('2025'))).toMatchObject({ reason: 'It was stopped.' })
})

test('[INST.1] shows an era in the catalog once it is known, and reports the change', async () => {
  const dual = child({ eras: ['2025', '2026'] })
  const { server, servers, system, changes } = await run([dual, dual, dual])
  await system.advance(50)
  const before = changes()
  await server.instances.shared(key('2026'))
  await system.advance(50)
  expect([servers.catalog()[0], changes()]).toMatchObject([{ eras: ['2025', '2026'] }, before + 1])
  // Another process of the same era is no change.
  await server.instances.shared(key('2025', 'roots'))
  await system.advance(50)
  expect(changes()).toBe(before + 1)
})

test.each([
  ['grows', tools('a', 'b', 'c')],
  ['has another tool at its end', tools('a', 'c')],
  ['has another tool at its beginning', tools('c', 'b')],
  ['has another order', tools('b', 'a')],
])('[TOOLS.5] reports a list that %s', async (_how, after) => {
  const { children, named } = await run([child({ tools: tools('a', 'b') })])
  Object.assign(children[0] ?? {}, { tools: after })
  children[0]?.write(LIST_CHANGED)
  await settled()
  expect(named('server-tools-changed')).toMatchObject([{ tools: after.length }])
})

test('[TOOLS.5] reads a list again that changes during its first reading', async () => {
  const { children, named } = await run([child({ speaks: false })])
  const [process = expect.fail()] = children
  process.answer(process.lines.at(-1)?.id, { protocolVersion: '2025-11-25', capabilities: { tools: {} } })
  await settled()
  process.write(LIST_CHANGED)
  await settled()
  process.answer(process.lines.at(-1)?.id, { tools: tools('a') })
  await settled()
  expect([named('server-ready').length, reads(process)]).toEqual([1, 2])
  process.answer(process.lines.at(-1)?.id, { tools: tools('a', 'b') })
  await settled()
  expect(named('server-tools-changed')).toMatchObject([{ tools: 2 }])
})

test('[TOOLS.9] reads a list that changes constantly once a second', async () => {
  const { children, system } = await run()
  const [process] = children
  for (let second = 0; second < 3; second++) {
    for (let count = 0; count < 5; count++) process?.write(LIST_CHANGED)
    await settled()
    expect(reads(process)).toBe(2 + second)
    await system.advance(999)
    expect(reads(process)).toBe(2 + second)
    await system.advance(1)
    await settled()
  }
})

test('[TOOLS.6] keeps the tools of a server that does not list them again in time, and reports it', async () => {
  const { children, named, servers, system } = await run()
  Object.assign(children[0] ?? {}, { speaks: false })
  children[0]?.write(LIST_CHANGED)
  await settled()
  await system.advance(START_MS - 1)
  expect(named('server-tools-unread')).toEqual([])
  await system.advance(1)
  expect(named('server-tools-unread')).toMatchObject([{ reason: 'it did not list its tools' }])
  expect(servers.catalog()[0]).toMatchObject({ state: 'ready', tools: { length: 1 } })
})

test('[TOOLS.6] reports no list that a server cannot answer, because it has ended', async () => {
  const { children, named } = await run()
  Object.assign(children[0] ?? {}, { speaks: false })
  children[0]?.write(LIST_CHANGED)
  await settled()
  children[0]?.end(1)
  await settled()
  expect([named('server-tools-unread'), named('server-exited').length]).toEqual([[], 1])
})

test('[TOOLS.7] is ready without tools if a server announces none, and does not list them within 3 seconds', async () => {
  const { children, named, system } = await run([child({ speaks: false })])
  const [process = expect.fail()] = children
  process.answer(process.lines.at(-1)?.id, { protocolVersion: '2025-11-25', capabilities: {} })
  await settled()
  await system.advance(2_999)
  expect(named('server-ready')).toEqual([])
  await system.advance(1)
  expect(named('server-ready')).toMatchObject([{ tools: 0, skippedTools: 0 }])
})

test('[TOOLS.12] keeps a server running for which the catalog has no room, and says so at each change', async () => {
  const { call, children, named, server, servers, system } = await run([
    child({ instructions: 'x'.repeat(300_000) }),
  ])
  const reason = expect.stringContaining('It is not listed: its instructions and info take')
  const failed = { type: 'server-failed', name: 's', reason, stderr: '', ignoredLines: 0 }
  expect([named('server-failed'), named('server-ready')]).toEqual([[failed], []])
  expect(servers.catalog()).toEqual([{ state: 'failed', name: 's', reason }])
  expect(await call()).toMatchObject({ code: 'server_unavailable', error: expect.stringContaining('listed') })
  expect(await server.instances.shared(key('2025'))).toEqual({ fault: 'unavailable', reason })
  // The same tools again are no change.
  children[0]?.write(LIST_CHANGED)
  await settled()
  expect([reads(children[0]), named('server-failed').length]).toEqual([2, 1])
  await system.advance(1_000)
  Object.assign(children[0] ?? {}, { tools: tools('a', 'b') })
  children[0]?.write(LIST_CHANGED)
  await settled()
  expect([named('server-failed').length, named('server-tools-changed')]).toEqual([2, []])
  expect(children[0]?.exitCode).toBeNull()
})

/** Each first request to a server whose processes end without an answer. */
async function approaches(
  next: World['next'],
  end: (process: FakeChild) => Promise<void> | void,
): Promise<unknown[]> {
  const starts = next.length
  const { children, named, system } = await run(next)
  for (let count = 1; count < starts; count++) {
    const last = children.at(-1) ?? expect.fail()
    await end(last)
    await settled()
    await system.advance(named('server-failed').at(-1)?.retryInMs ?? 0)
    await settled()
  }
  expect(children).toHaveLength(starts)
  return children.map(({ lines: [request] }) => {
    const { protocolVersion } = (request?.params ?? {}) as { protocolVersion?: string }
    return protocolVersion ?? request?.method
  })
}

test('[PROC.18] tries each way to approach a server that ends without an answer in turn', async () => {
  const silent = child({ speaks: false })
  const next = Array.from({ length: 5 }, () => silent)
  expect(await approaches(next, (process) => process.end(1))).toEqual([
    ...['2025-11-25', '2024-11-05', 'server/discover', '2025-11-25', '2024-11-05'],
  ])
})

test('[PROC.18] approaches a server that refuses in the same way again, and one that could not be started', async () => {
  const silent = child({ speaks: false })
  const refuse = async (process: FakeChild) => {
    for (const id of [1, 2]) {
      process.write(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -1, message: 'no' } }))
      await settled()
    }
  }
  expect(await approaches([silent, silent], refuse)).toEqual(['2025-11-25', '2025-11-25'])
  const missing = () => {
    const process = new FakeChild(false)
    setImmediate(() => process.emit('error', Object.assign(new Error('no'), { code: 'ENOENT' })))
    return process
  }
  expect(await approaches([missing, silent], () => {})).toEqual([undefined, '2025-11-25'])
})

test('[PROC.15] reports no start that has succeeded or failed as one that lasts', async () => {
  const ready = await run()
  await ready.system.advance(10_000)
  expect(ready.named('server-starting')).toEqual([
    { type: 'server-starting', name: 's', forMs: 0, limitMs: START_MS, mayInstall: false },
  ])
  const missing = () => {
    throw Object.assign(new Error('no'), { code: 'ENOENT' })
  }
  const failed = await run([missing])
  expect(failed.named('server-failed')).toMatchObject([{ retryInMs: 30_000 }])
  await failed.system.advance(29_999)
  expect(failed.named('server-starting')).toHaveLength(1)
})
