import { expect, test } from 'vitest'
import type { ServerEntry, StdioEntry } from '../src/config/entry.ts'
import type { SetDeps } from '../src/servers/server-set.ts'
import { entry, FakeChild, runFakes, settled, type World } from './support/fake-child.ts'
import { fixture, type Running, runServers } from './support/local.ts'
import { isAlive, until } from './support/until.ts'

const named = (name: string, more: Partial<StdioEntry> = {}): StdioEntry => ({
  ...fixture('server'),
  name,
  ...more,
})
const never = new AbortController().signal

function callOf({ servers }: Running, serverName: string, toolName: string) {
  return servers.call({ serverName, toolName, rawArgs: Buffer.from('{}'), signal: never })
}

/** The process id of a server, once it is ready. */
function pidOf(running: Running, name: string): Promise<number> {
  return until(async () => {
    const outcome = await callOf(running, name, 'pid')
    return outcome.ok && Number(JSON.parse(outcome.result.toString('utf8')).content[0].text)
  })
}

const states = ({ servers }: Running) => servers.catalog().map(({ name, state }) => [name, state])
const changes = ({ events }: Running) => events.filter(({ type }) => type === 'config-changed')

test('[CONFIG.20] stops removed servers, starts added ones, and restarts changed ones; an equal one and its call continue', async () => {
  const stopped: Parameters<SetDeps['onStopped']>[] = []
  const running = runServers([named('same'), named('gone'), named('other')], {
    onStopped: (...args) => stopped.push(args),
  })
  const [same, gone, other] = await Promise.all(['same', 'gone', 'other'].map((name) => pidOf(running, name)))
  const calls = ['same', 'gone', 'other'].map((name) => callOf(running, name, 'hang'))
  running.servers.replace([named('new'), named('same'), named('other', { env: { A: 'b' } })])

  expect(changes(running)).toEqual([
    { type: 'config-changed', added: ['new'], removed: ['gone'], changed: ['other'] },
  ])
  expect(stopped.map(([name, next]) => [name, next?.name])).toEqual([
    ['gone', undefined],
    ['other', 'other'],
  ])
  expect(states(running)).toEqual([
    ['new', 'starting'],
    ['same', 'ready'],
    ['other', 'starting'],
  ])
  for (const call of calls.slice(1)) expect(await call).toMatchObject({ ok: false, code: 'server_exited' })
  expect(await callOf(running, 'gone', 'pid')).toMatchObject({ code: 'server_not_found' })

  expect(await pidOf(running, 'new')).toBeGreaterThan(1)
  expect(await pidOf(running, 'other')).not.toBe(other)
  expect(await pidOf(running, 'same')).toBe(same)
  await until(() => !isAlive(gone ?? 0) && !isAlive(other ?? 0))
  const isOver = await Promise.race([calls[0]?.then(() => true), Promise.resolve(false)])
  expect(isOver).toBe(false)
})

test('[CONFIG.20] starts a server again only when its last process has ended, however often it is edited', async () => {
  const slow = Object.assign(new FakeChild(), { endsWithInput: false })
  const world: World = { children: [], happened: [], next: [() => slow], spawned: [] }
  const { servers, system, named } = runFakes(world)
  await settled()
  servers.replace([])
  servers.replace([entry()])
  servers.replace([entry({ env: { A: 'b' } })])
  await settled()
  expect(servers.catalog()).toEqual([{ state: 'starting', name: 's' }])
  expect(world.children).toHaveLength(1)
  // It ends at SIGTERM, a second after its input.
  await system.advance(1_000)
  await settled()
  expect(slow.signalCode).toBe('SIGTERM')
  expect(world.children).toHaveLength(2)
  expect(world.spawned[1]).toMatchObject(['fake', [], { env: { A: 'b' } }])
  expect(named('server-ready')).toHaveLength(2)
})

test('[CONFIG.20] waits for the end of removed servers when it is stopped, and takes no entries after it', async () => {
  const running = runServers([named('a')])
  const pid = await pidOf(running, 'a')
  running.servers.replace([named('b')])
  const ended = running.servers.stop()
  running.servers.replace([named('c')])
  await ended
  expect(isAlive(pid)).toBe(false)
  expect(changes(running)).toHaveLength(1)
  expect(states(running)).toEqual([['b', 'failed']])
})

test('[CONFIG.20] reports an entry that becomes invalid, and starts it once it is valid again', async () => {
  const remote: ServerEntry = { kind: 'http', name: 'a' }
  const running = runServers([named('a')])
  await pidOf(running, 'a')
  running.servers.replace([remote])
  expect(await running.event('server-failed')).toMatchObject({
    name: 'a',
    reason: expect.stringContaining('HTTP'),
  })
  expect(await callOf(running, 'a', 'pid')).toMatchObject({ code: 'server_unavailable' })
  running.servers.replace([{ ...remote }])
  expect(changes(running).at(-1)).toMatchObject({ added: [], removed: [], changed: [] })
  running.servers.replace([named('a')])
  expect(await pidOf(running, 'a')).toBeGreaterThan(1)
})
