import { fileURLToPath } from 'node:url'
import type { Era } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { reported } from '../../../test/support/catalog.ts'
import { COMPILE_CACHE } from '../../../test/support/compile-cache.ts'
import type { StdioEntry } from '../src/config/entry.ts'
import type { Instance, Instances } from '../src/servers/instance.ts'
import { key, messagesOf, ok } from './support/fake-instances.ts'
import { fixture, published, type Running, runReady } from './support/local.ts'
import { isAlive, until } from './support/until.ts'

const STDIO = fileURLToPath(new URL('../../../test/conformance/fixtures/stdio.ts', import.meta.url))
const never = new AbortController().signal

/** The conformance fixture in one of its forms. */
function conformance(form: 'v1' | 'v2' | 'v2-modern'): StdioEntry {
  const args = [STDIO, form]
  return { kind: 'stdio', name: 'fixture', command: process.execPath, args, env: COMPILE_CACHE, secrets: [] }
}

function instancesOf({ servers }: Running): Instances {
  const instances = servers.instances(servers.catalog()[0]?.name ?? '')
  if ('code' in instances) throw new Error(instances.code)
  return instances
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

async function resultOf(instance: Instance, method: string, params: object = {}): Promise<never> {
  const meta = instance.key.era === '2026' ? { _meta: META } : {}
  const outcome = await instance.request(method, Buffer.from(JSON.stringify({ ...params, ...meta })), never)
  if (outcome.kind !== 'result') throw new Error(outcome.kind)
  return JSON.parse(String(outcome.result)) as never
}

async function toolsOf(instance: Instance): Promise<readonly string[]> {
  const { tools }: { tools: readonly { name: string }[] } = await resultOf(instance, 'tools/list')
  return tools.map(({ name }) => name)
}

async function pidOf(instance: Instance): Promise<number> {
  const result: { content: readonly { text: string }[] } = await resultOf(instance, 'tools/call', {
    name: 'pid',
  })
  return Number(result.content[0]?.text)
}

const FORMS: readonly [Parameters<typeof conformance>[0], readonly Era[], version: string][] = [
  ['v1', ['2025'], '2025-11-25'],
  ['v2', ['2025', '2026'], '2025-11-25'],
  ['v2-modern', ['2026'], '2026-07-28'],
]

test.each(FORMS)('[INST.1] finds out the eras of a real server: %s', async (form, eras, version) => {
  const running = await runReady(conformance(form))
  const instances = instancesOf(running)
  for (const era of ['2025', '2026'] as const) {
    const instance = await instances.shared(key(era))
    if (!eras.includes(era)) expect(instance).toMatchObject({ fault: 'era' })
    else expect(await toolsOf(ok(instance))).toContain('test_simple_text')
  }
  expect(instances.eras).toEqual({ 2025: eras.includes('2025'), 2026: eras.includes('2026') })
  const first = ok(await instances.shared(key(eras[0] ?? '2025')))
  expect(first.version).toBe(version)
  expect(String(first.introduction)).toContain('"conformance-fixture"')
  expect(reported(running.servers.catalog())[0]).toMatchObject({
    state: 'ready',
    serverInfo: { name: 'conformance-fixture', version: '1.0.0' },
    capabilities: { tools: { listChanged: true }, completions: {} },
    eras,
  })
})

test('[INST.3] shows callers the tools that a published server has for their capabilities', async () => {
  const instances = instancesOf(await runReady(published('everything')))
  const plain = await toolsOf(ok(await instances.shared(key('2025'))))
  const asking = ok(
    await instances.shared(key('2025', 'elicitation-form', 'elicitation-url', 'roots', 'sampling')),
  )
  messagesOf(asking)
  expect(plain).not.toContain('trigger-sampling-request')
  await until(async () => (await toolsOf(asking)).includes('trigger-sampling-request'))
  expect((await toolsOf(asking)).length).toBeGreaterThan(plain.length)
})

test('[INST.4] [INST.10] lets the owner of a lease answer what the server asks during its call', async () => {
  const instances = instancesOf(await runReady(conformance('v1')))
  const owner = {}
  const lease = ok(await instances.lease(key('2025', 'sampling'), owner, { signal: never }))
  const { instance } = lease
  const messages = messagesOf(instance)
  const called = resultOf(instance, 'tools/call', { name: 'test_sampling', arguments: { prompt: 'Say yes' } })
  const ask = await until(() => messages.find(({ method }) => method === 'sampling/createMessage'))
  expect([instances.ownerOf(instance) === owner, String(ask.params)]).toEqual([
    true,
    expect.stringContaining('Say yes'),
  ])
  const answer = { role: 'assistant', model: 'm', content: { type: 'text', text: 'Yes!' } }
  instance.answer(ask.id ?? expect.fail(), 'result', Buffer.from(JSON.stringify(answer)))
  expect(JSON.stringify(await called)).toContain('Yes!')
  lease.release()
})

test('[INST.8] leaves no process of a server that stops', async () => {
  const running = await runReady(fixture('server'))
  const instances = instancesOf(running)
  const wanted = key('2025', 'sampling')
  const leases = await Promise.all([0, 1, 2, 3].map(() => instances.lease(wanted, {}, { signal: never })))
  const started = [
    ok(await instances.shared(key('2025'))),
    ok(await instances.shared(key('2025', 'roots'))),
    ...leases.map((lease) => ok(lease).instance),
  ]
  const pids = await Promise.all(started.map(pidOf))
  expect(new Set(pids.filter(isAlive)).size).toBe(6)
  await running.servers.stop()
  expect(pids.filter(isAlive)).toEqual([])
})

test('[INST.14] serves the next owner after a leased process has crashed', async () => {
  const running = await runReady(fixture('server'))
  const instances = instancesOf(running)
  const leaseOne = async () => ok(await instances.lease(key('2025', 'sampling'), {}, { signal: never }))
  const { instance, release } = await leaseOne()
  process.kill(await pidOf(instance), 'SIGKILL')
  await instance.ended
  release()
  expect(await running.event('server-instance-failed')).toMatchObject({
    name: 'fixture',
    reason: 'It was ended by SIGKILL.',
  })
  const next = await leaseOne()
  expect(isAlive(await pidOf(next.instance))).toBe(true)
})

test('[ERA.11] a plain call to a server of the 2026 era has a result of the 2025 era', async () => {
  const { servers } = await runReady(conformance('v2-modern'))
  const call = {
    serverName: 'fixture',
    toolName: 'test_simple_text',
    rawArgs: Buffer.from('{}'),
    signal: never,
  }
  const outcome = await servers.call(call)
  expect(outcome.ok && Object.keys(JSON.parse(String(outcome.result)))).toEqual(['content'])
})
