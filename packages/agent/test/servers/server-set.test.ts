import { expect, test } from 'vitest'
import { ConfigError } from '../../src/config/config-error.ts'
import type { ServerEntry } from '../../src/config/entry.ts'
import { changesOf } from '../../src/servers/entry-changes.ts'
import type { SetDeps } from '../../src/servers/server-set.ts'
import { entry, FakeChild, runFakes, settled, type World } from '../support/fake-child.ts'

const newWorld = (): World => ({ children: [], happened: [], next: [], spawned: [] })
const web: ServerEntry = { kind: 'http', name: 'web' }
const unusable = (name: string): ServerEntry => ({
  ...{ kind: 'unusable', name },
  error: new ConfigError('config_server_invalid', 'It has no\u0000command.', 'Add one.'),
})
const UNUSABLE_REASON = 'It has no command. Add one.'

async function ready(entries: readonly ServerEntry[]) {
  const world = newWorld()
  const stopped: Parameters<SetDeps['onStopped']>[] = []
  const first: string[] = []
  const run = runFakes(world, entries, {
    onStopped: (...args) => stopped.push(args),
    onFirst: ({ name }) => first.push(name),
  })
  await settled()
  return { ...run, world, stopped, first }
}

const states = ({ servers }: Awaited<ReturnType<typeof ready>>) =>
  servers.catalog().map(({ name, state }) => `${name} ${state}`)

test('[CONFIG.20] tells added, removed and changed entries from equal ones', () => {
  const byName = (...entries: ServerEntry[]) => new Map(entries.map((each) => [each.name, each]))
  const before = byName(entry({ name: 'same' }), entry({ name: 'gone' }), entry({ name: 'other' }))
  const after = byName(entry({ name: 'new' }), entry({ name: 'other', args: ['x'] }), entry({ name: 'same' }))
  expect(changesOf(before, after)).toEqual({ added: ['new'], removed: ['gone'], changed: ['other'] })
  expect(changesOf(before, before)).toEqual({ added: [], removed: [], changed: [] })
})

test('[CONFIG.20] replaces the servers of changed entries, and keeps the others and their calls', async () => {
  const run = await ready([entry({ name: 'same' }), entry({ name: 'gone' }), entry({ name: 'other' })])
  const { servers, world, named, stopped, first, call, changes, system } = run
  expect(first).toEqual(['same', 'gone', 'other'])
  await system.advance(50)
  const calls = ['same', 'gone', 'other'].map((name) => call('echo', undefined, name))
  servers.replace([entry({ name: 'new' }), entry({ name: 'same' }), entry({ name: 'other', args: ['x'] })])
  expect(named('config-changed')).toEqual([
    { type: 'config-changed', added: ['new'], removed: ['gone'], changed: ['other'] },
  ])
  expect(stopped.map(([name, next]) => [name, next?.name])).toEqual([
    ['gone', undefined],
    ['other', 'other'],
  ])
  expect(stopped[1]?.[1]).toBe(servers.find('other'))
  expect(states(run)).toEqual(['new starting', 'same ready', 'other starting'])
  expect(await Promise.all(calls.slice(1))).toMatchObject([
    { code: 'server_exited' },
    { code: 'server_exited' },
  ])
  await settled()
  expect(states(run)).toEqual(['new ready', 'same ready', 'other ready'])
  expect(world.spawned.map(([, args]) => args)).toEqual([[], [], [], [], ['x']])
  expect(world.children.map(({ exitCode }) => exitCode)).toEqual([null, 0, 0, null, null])
  const before = changes()
  await system.advance(50)
  expect(changes()).toBe(before + 1)
  world.children[0]?.answer(world.children[0].requests('tools/call')[0]?.id, {})
  expect(await calls[0]).toMatchObject({ ok: true })
})

test('[CONFIG.20] starts a server again only when its last process has ended, however often it is edited', async () => {
  const world = newWorld()
  world.next = [() => Object.assign(new FakeChild(), { endsWithInput: false })]
  const { servers, system } = runFakes(world)
  await settled()
  for (const args of [['1'], ['2'], ['3']]) {
    servers.replace([entry({ args })])
    await settled()
  }
  await system.advance(999)
  expect(world.children).toHaveLength(1)
  await system.advance(1)
  await settled()
  expect(world.spawned.map(([, args]) => args)).toEqual([[], ['3']])
  // An end of long ago delays no further start.
  servers.replace([])
  await settled()
  servers.replace([entry({ args: ['4'] })])
  await settled()
  expect(world.children).toHaveLength(3)
})

test('[CONFIG.20] waits for the end of replaced servers when it is stopped, and takes no entries after it', async () => {
  const world = newWorld()
  world.next = [() => Object.assign(new FakeChild(), { endsWithInput: false })]
  const { servers, system, named } = runFakes(world)
  await settled()
  servers.replace([])
  let hasStopped = false
  void servers.stop().then(() => {
    hasStopped = true
  })
  servers.replace([entry({ name: 'late' })])
  await settled()
  expect([hasStopped, named('config-changed').length, servers.catalog()]).toEqual([false, 1, []])
  await system.advance(1_000)
  await settled()
  expect([hasStopped, world.children.length]).toEqual([true, 1])
})

test('[CONFIG.11] lists and reports entries that are not run, each with its reason, behind the others', async () => {
  const run = await ready([web, unusable('bad'), unusable('no\nname'), entry()])
  const { servers, named, call } = run
  const reason =
    'It is reached over HTTP, which this version does not support; only servers with a "command" are started.'
  expect(servers.catalog().slice(1)).toEqual([
    { state: 'failed', name: 'web', reason },
    { state: 'failed', name: 'bad', reason: UNUSABLE_REASON },
  ])
  expect(named('server-failed')).toEqual(
    ['web', 'bad', 'no\nname'].map((name) => ({
      ...{ type: 'server-failed', name, reason: name === 'web' ? reason : UNUSABLE_REASON },
      ...{ stderr: '', ignoredLines: 0 },
    })),
  )
  expect(servers.instances('bad')).toEqual({ code: 'server_unavailable', reason: UNUSABLE_REASON })
  expect(servers.instances('none')).toEqual({ code: 'server_not_found' })
  expect(servers.instances('s')).toMatchObject({ eras: { 2025: true } })
  expect([servers.find('bad'), servers.find('none')]).toEqual([UNUSABLE_REASON, undefined])
  expect(servers.find('s')).toMatchObject({ name: 's' })
  expect(await call('echo', undefined, 'bad')).toMatchObject({
    error: 'The local server is not running. It has no command. Add one.',
  })
})

test('[CONFIG.20] reports an entry that becomes invalid, and starts it once it is valid again', async () => {
  const run = await ready([entry({ name: 'web' })])
  const { servers, named, world } = run
  servers.replace([web])
  expect([states(run), named('server-failed').length]).toEqual([['web failed'], 1])
  servers.replace([{ ...web }])
  expect(named('config-changed').at(-1)).toMatchObject({ added: [], removed: [], changed: [] })
  servers.replace([entry({ name: 'web' })])
  await settled()
  expect([states(run), world.children.length]).toEqual([['web ready'], 2])
  servers.replace([])
  expect(servers.catalog()).toEqual([])
})

test('[CONFIG.4] lists at most 64 servers', async () => {
  const { servers } = await ready(Array.from({ length: 65 }, (_, at) => unusable(`s${at}`)))
  expect(servers.catalog()).toHaveLength(64)
})
