import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { AgentEvent } from '../../src/events.ts'
import {
  LIFETIME_MS,
  MAX_ENDED,
  MAX_STORED,
  SessionFile,
  WRITE_MS,
} from '../../src/exchanges/session-file.ts'
import { Bridge, notification, request } from '../support/exchanges.ts'
import { FakeServer } from '../support/fake-server.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { until } from '../support/until.ts'

async function temporaryFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bridgekeeper-sessions-'))
  // A write may still run.
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  return join(folder, 'sessions', 'bridge.json')
}

interface Agent {
  readonly bridge: Bridge
  readonly server: FakeServer
  readonly system: FakeSystem
  readonly file: SessionFile
  readonly events: AgentEvent[]
}

/** The part of an agent that has the file. */
async function agent(path: string, system = new FakeSystem()): Promise<Agent> {
  const events: AgentEvent[] = []
  const file = new SessionFile({ system, path, onEvent: (event) => events.push(event) })
  await file.load()
  const server = new FakeServer()
  return { bridge: new Bridge(server, 'fake', system, file), server, system, file, events }
}

const session = (id: string) => ({ id, traits: [] })
const choose = ({ bridge }: Agent, id: string, method: string, params: object, client = 'ann') =>
  bridge.ask({ client, session: session(id), message: request(method, params) })

test('[SESS.25] keeps level, subscriptions and ended sessions across a restart of the agent', async () => {
  const path = await temporaryFile()
  const first = await agent(path)
  await choose(first, 'a', 'logging/setLevel', { level: 'debug' })
  await choose(first, 'a', 'resources/subscribe', { uri: 'file:///x' })
  await choose(first, 'a', 'resources/subscribe', { uri: 'file:///y' })
  await choose(first, 'a', 'resources/unsubscribe', { uri: 'file:///y' })
  await choose(first, 'b', 'logging/setLevel', { level: 'error' })
  await first.bridge.ask({ kind: 'delete', session: session('b') })
  await first.file.flush()
  if (process.platform !== 'win32') expect((await stat(path)).mode & 0o077).toBe(0)

  const { bridge, server, system } = await agent(path)
  expect(await bridge.ask({ kind: 'stream', session: session('b') })).toMatchObject({
    code: 'session_unknown',
  })
  const stream = bridge.open({ kind: 'stream', session: session('a') })
  // Nobody needs to send a request first.
  await system.advance(1_000)
  const instance = server.instance()
  expect(instance.agentRequests).toEqual([
    { method: 'logging/setLevel', params: { level: 'debug' } },
    { method: 'resources/subscribe', params: { uri: 'file:///x' } },
  ])
  instance.says('notifications/resources/updated', { uri: 'file:///x' })
  expect(bridge.messages(stream)).toHaveLength(1)
})

test('[SESS.25] gives what is stored to no other client', async () => {
  const path = await temporaryFile()
  const first = await agent(path)
  await choose(first, 'a', 'resources/subscribe', { uri: 'file:///x' })
  await first.file.flush()
  const second = await agent(path)
  await choose(second, 'a', 'logging/setLevel', { level: 'error' }, 'eve')
  await second.system.advance(1_000)
  expect(second.server.instance().agentRequests.map(({ method }) => method)).toEqual(['logging/setLevel'])
})

test('[SESS.25] writes changes together, and once nothing is stored any more', async () => {
  const path = await temporaryFile()
  const first = await agent(path)
  const content = async () => JSON.parse(await readFile(path, 'utf8'))
  await choose(first, 'a', 'resources/subscribe', { uri: 'file:///x' })
  await choose(first, 'b', 'logging/setLevel', { level: 'info' })
  await first.system.advance(WRITE_MS - 1)
  await expect(readFile(path)).rejects.toThrow('ENOENT')
  await first.system.advance(1)
  const stored = await until(() => content().catch(() => undefined))
  expect(stored.sessions).toHaveLength(2)
  await choose(first, 'a', 'resources/unsubscribe', { uri: 'file:///x' })
  await choose(first, 'c', 'resources/unsubscribe', { uri: 'file:///x' })
  await first.bridge.note({ session: session('d'), message: notification('notifications/x') })
  await first.file.flush()
  expect((await content()).sessions).toMatchObject([{ id: 'b', level: 'info', subscriptions: [] }])
})

test('[SESS.25] stores a bounded number of sessions, and forgets those that are too old', async () => {
  const path = await temporaryFile()
  const first = await agent(path)
  for (let at = 0; at < MAX_STORED + 2; at++)
    await choose(first, `s${at}`, 'logging/setLevel', { level: 'info' })
  for (let at = 0; at < MAX_ENDED + 2; at++) first.file.end(`e${at}`, 'ann')
  await first.file.flush()
  const { sessions, ended } = JSON.parse(await readFile(path, 'utf8'))
  expect([sessions.length, sessions[0].id]).toEqual([MAX_STORED, 's2'])
  expect([ended.length, ended[0][0]]).toEqual([MAX_ENDED, 'e2'])

  const later = new FakeSystem()
  later.stepWall(LIFETIME_MS + 1)
  expect((await agent(path, later)).file.hasEnded('e5')).toBe(false)
  expect((await agent(path)).file.hasEnded('e5')).toBe(true)
})

test('[SESS.25] stores at most 512 KiB of sessions, and those that changed last', async () => {
  const path = await temporaryFile()
  const first = await agent(path)
  for (let at = 0; at < 20; at++)
    for (let uri = 0; uri < 64; uri++)
      await choose(first, `s${at}`, 'resources/subscribe', { uri: `file:///${uri}/${'x'.repeat(1_000)}` })
  await first.file.flush()
  const text = await readFile(path, 'utf8')
  expect(text.length).toBeLessThan(600_000)
  expect(JSON.parse(text).sessions.at(-1).id).toBe('s19')
})

test.each([
  ['no JSON', '{'],
  ['another version', '{"version":2}'],
  ['another form', '{"version":1,"sessions":[{}],"ended":[]}'],
])('[SESS.25] counts a file with %s as empty, and reports it', async (_, text) => {
  const path = await temporaryFile()
  const first = await agent(path)
  first.file.end('x', 'ann')
  await first.file.flush()
  await writeFile(path, text)
  const second = await agent(path)
  expect(second.events).toMatchObject([{ type: 'session-file-unusable' }])
  second.file.end('y', 'ann')
  await second.file.flush()
  expect((await agent(path)).file.hasEnded('y')).toBe(true)
})

test.skipIf(process.platform === 'win32')(
  '[SESS.25] reports a file that others may read, and keeps running',
  async () => {
    const path = await temporaryFile()
    const first = await agent(path)
    first.file.end('x', 'ann')
    await first.file.flush()
    await chmod(path, 0o644)
    const { events, file } = await agent(path)
    expect(events).toMatchObject([{ type: 'session-file-unusable', reason: expect.stringContaining(path) }])
    expect(file.hasEnded('x')).toBe(false)
  },
)

test('[SESS.25] stores the sessions of a client with few although another one has many, or large ones', async () => {
  const path = await temporaryFile()
  const first = await agent(path)
  const idsOf = async (client: string) => {
    await first.file.flush()
    const { sessions } = JSON.parse(await readFile(path, 'utf8'))
    return sessions.flatMap((each: { client: string; id: string }) =>
      each.client === client ? [each.id] : [],
    )
  }
  await choose(first, 'own', 'logging/setLevel', { level: 'info' })
  for (let at = 0; at <= MAX_STORED; at++)
    await choose(first, `s${at}`, 'logging/setLevel', { level: 'info' }, 'eve')
  expect(await idsOf('ann')).toEqual(['own'])
  for (let at = 0; at < 10; at++)
    for (let uri = 0; uri < 64; uri++)
      await choose(first, `s${at}`, 'resources/subscribe', { uri: `x://${uri}/${'x'.repeat(1_000)}` }, 'eve')
  expect(await idsOf('ann')).toEqual(['own'])
  expect((await idsOf('eve')).at(-1)).toBe('s9')
})

test('[SESS.25] stores all small sessions although the large ones of another client exceed the room', async () => {
  const path = await temporaryFile()
  const first = await agent(path)
  for (let at = 0; at < 20; at++) await choose(first, `own${at}`, 'logging/setLevel', { level: 'info' })
  for (let at = 0; at < 10; at++)
    for (let uri = 0; uri < 64; uri++)
      await choose(first, `s${at}`, 'resources/subscribe', { uri: `x://${uri}/${'x'.repeat(1_200)}` }, 'eve')
  await first.file.flush()
  const { sessions } = JSON.parse(await readFile(path, 'utf8'))
  const idsOf = (client: string) =>
    sessions.flatMap((each: { client: string; id: string }) => (each.client === client ? [each.id] : []))
  expect(idsOf('ann')).toHaveLength(20)
  expect(idsOf('eve')).toEqual(['s3', 's4', 's5', 's6', 's7', 's8', 's9'])
})

test('[SESS.25] keeps the end of a session although another client ends more than are kept', async () => {
  const path = await temporaryFile()
  const first = await agent(path)
  first.file.end('own', 'ann')
  for (let at = 0; at < MAX_ENDED; at++) first.file.end(`e${at}`, 'eve')
  await first.file.flush()
  const { file } = await agent(path)
  file.end('another', 'eve')
  expect(['own', 'e0', 'e1', 'e2', 'another'].map((id) => file.hasEnded(id))).toEqual([
    ...[true, false, false, true, true],
  ])
})

test('[SESS.25] reads the ends that an older agent stored without their client', async () => {
  const path = await temporaryFile()
  const first = await agent(path)
  first.file.end('x', 'ann')
  await first.file.flush()
  const ended = [['y', first.system.nowMs()]]
  await writeFile(path, JSON.stringify({ version: 1, sessions: [], ended }))
  const { file, events } = await agent(path)
  expect([events, file.hasEnded('y')]).toEqual([[], true])
})
