import { execFile, spawn } from 'node:child_process'
import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { reported } from '../../../test/support/catalog.ts'
import { COMPILE_CACHE } from '../../../test/support/compile-cache.ts'
import { scratch } from '../../../test/support/scratch.ts'
import { ConfigError } from '../src/config/config-error.ts'
import { serverEnvironment } from '../src/servers/environment.ts'
import { Reaper } from '../src/servers/reaper.ts'
import { realSystem } from '../src/system.ts'
import { FakeSystem } from './support/fake-system.ts'
import { fixture, fixturePath, published, runReady, runServers } from './support/local.ts'
import { isAlive, until } from './support/until.ts'

const EXACT = { limitMs: 35_000, isExact: true }
const temporaryFile = (name: string) => join(scratch(), name)

test('[PROC.1] gives a server a few variables of the agent and its own, and no others', async () => {
  const secrets = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`SECRET_${i}`, `canary-${i}`]))
  const inherited = { LC_ALL: 'C', HTTPS_PROXY: 'http://proxy.example', NODE_EXTRA_CA_CERTS: '' }
  const env = { ...process.env, ...secrets, ...inherited, NODE_OPTIONS: '--no-warnings' }
  const { text } = await runReady({ ...fixture('server'), env: { OWN: 'value' } }, { env })
  const seen = JSON.parse(await text('env'))
  expect(JSON.stringify(seen)).not.toContain('canary')
  expect(seen).toMatchObject({ OWN: 'value', ...inherited, PATH: process.env.PATH })
  const allowed = [
    ...Object.keys(inherited),
    'BRIDGEKEEPER_SERVER',
    'HOME',
    'LANG',
    'LOGNAME',
    'OWN',
    'PATH',
    'SHELL',
    'TERM',
    'TMPDIR',
    'TZ',
    'USER',
  ]
  const others = Object.keys(seen).filter(
    (name) => !allowed.includes(name) && !/proxy|_CA_|CERT|cafile|CAINFO/i.test(name),
  )
  expect(others).toEqual([])
})

test('[PROC.1] gives Windows programs the variables they need', () => {
  const env = { SYSTEMROOT: 'C:\\Windows', APPDATA: 'a', SECRET: 's', HOME: 'h' }
  expect(serverEnvironment(env, { env: { OWN: 'o' } }, 'win32').env).toEqual({
    SYSTEMROOT: 'C:\\Windows',
    APPDATA: 'a',
    OWN: 'o',
  })
})

test('[PROC.2] passes no command line through a shell', async () => {
  const file = temporaryFile('pwned')
  const { event } = runServers([
    { ...fixture('server'), command: `node;touch ${file}`, args: ['$(touch', `${file})`] },
  ])
  await event('server-failed')
  expect(existsSync(file)).toBe(false)
})

test('[PROC.3] fails the server of a missing program with a reason, and retries after 30 seconds', async () => {
  const { event } = runServers([{ ...fixture('server'), command: 'no-such-program' }])
  expect(await event('server-failed')).toMatchObject({
    reason: 'The program "no-such-program" was not found. Install it, or correct "command".',
    retryInMs: 30_000,
  })
})

test('[PROC.3] distinguishes a missing folder from a missing program', async () => {
  const { event } = runServers([{ ...fixture('server'), cwd: '/no/such/folder' }])
  expect(await event('server-failed')).toMatchObject({
    reason: 'Its folder "/no/such/folder" does not exist.',
  })
})

test.each([
  ['dies', 'It ended during its start with exit code 7.'],
  ['killed', 'It was ended during its start by SIGKILL.'],
  ['refuses', 'It was stopped, because it refused to be initialized: Set API_KEY first.'],
  [
    'refuses-and-ends',
    'It ended during its start with exit code 9. Before that, it refused to be initialized: Set API_KEY first.',
  ],
])('[PROC.4] reports why a server does not start: %s', async (how, reason) => {
  const { event, servers } = runServers([fixture('starts', how)])
  expect(await event('server-failed')).toMatchObject({ reason })
  await until(() => servers.catalog()[0]?.state === 'failed')
  expect(servers.catalog()[0]).toMatchObject({ reason })
})

test.each([
  ['refuses-new', ['2025-11-25', '2024-11-05']],
  ['refuses-by-name', ['2025-11-25', '2025-03-26']],
  ['refuses-in-words', ['2025-11-25', '2025-06-18']],
])(
  '[PROC.18] retries with an older protocol version when a server refuses one: %s',
  async (how, versions) => {
    const { text } = await runReady(fixture('starts', how))
    const lines: { method: string; params: { protocolVersion: string } }[] = JSON.parse(
      await text('received'),
    ).map((line: string) => JSON.parse(line))
    const asked = lines.filter(({ method }) => method === 'initialize')
    expect(asked.map(({ params }) => params.protocolVersion)).toEqual(versions)
  },
)

test('[PROC.18] restarts a server with an old version when it ends at a new one', async () => {
  const { event } = runServers([fixture('starts', 'hangs-up')])
  expect(await event('server-failed')).toMatchObject({
    reason: 'It ended during its start with exit code 1.',
  })
  expect(await event('server-ready')).toMatchObject({ tools: 3 })
})

test.each(['nulls', 'speaks-first', 'old'])(
  '[PROC.19] accepts a harmless oddity in initialization: %s',
  async (how) => {
    const { servers, event } = await runReady(fixture('starts', how))
    expect(await event('server-ready')).toMatchObject({ tools: 3 })
    const [entry] = reported(servers.catalog())
    expect(entry).toMatchObject({ state: 'ready', serverInfo: { version: expect.any(String) } })
    if (how !== 'speaks-first') expect(entry).not.toHaveProperty('instructions')
  },
)

test('[PROC.5] ends a server that is not ready in time', async () => {
  const { event } = runServers([fixture('starts', 'silent')], { startMs: 500 })
  expect(await event('server-failed')).toMatchObject({
    reason: 'It was stopped, because it was not ready within 0.5 seconds.',
  })
})

test('[PROC.15] reports a start at once, and again while it lasts', async () => {
  const system = new FakeSystem()
  const { event, events } = runServers([{ ...fixture('starts', 'silent'), startLimit: EXACT }], { system })
  await event('server-starting')
  await system.advance(30_000)
  const reports = events.filter(({ type }) => type === 'server-starting')
  expect(reports.map((report) => 'forMs' in report && report.forMs)).toEqual([0, 10_000, 30_000])
  expect(reports[0]).toMatchObject({ name: 'fixture', limitMs: 35_000, mayInstall: false })
  await system.advance(5_000)
  await until(async () => {
    await system.advance(500)
    return events.some(({ type }) => type === 'server-failed')
  })
  expect(await event('server-failed')).toMatchObject({ reason: expect.stringContaining('within 35 seconds') })
})

test('[CONFIG.11] shows an unusable entry with its reason, and runs the one beside it', async () => {
  const error = new ConfigError('config_server_invalid', 'The server "bad" is not valid.', 'Correct it.')
  const bad = { kind: 'unusable' as const, name: 'bad', error }
  const odd = { kind: 'unusable' as const, name: 'o\u0000', error }
  const { event, servers } = runServers([fixture('server'), bad, odd])
  expect(await event('server-failed')).toMatchObject({
    name: 'bad',
    reason: 'The server "bad" is not valid. Correct it.',
  })
  await event('server-ready')
  expect(servers.catalog()).toMatchObject([
    { state: 'ready', name: 'fixture' },
    { state: 'failed', name: 'bad', reason: 'The server "bad" is not valid. Correct it.' },
  ])
  const call = {
    serverName: 'bad',
    toolName: 't',
    rawArgs: Buffer.from('{}'),
    signal: new AbortController().signal,
  }
  expect(await servers.call(call)).toMatchObject({
    code: 'server_unavailable',
    error: expect.stringContaining('"bad" is not valid'),
  })
})

test('[PROC.6] shows the last standard error to the user, and never to the bridge', async () => {
  const { event, servers } = runServers([fixture('starts', 'dies')])
  expect((await event('server-failed')).stderr).toContain('Error: cannot find "database.json"')
  expect(JSON.stringify(servers.catalog())).not.toContain('database')
})

test('[PROC.7] hides values of an entry’s environment in all output of its server', async () => {
  const secret = 'sk-line-one\nand-line-two'
  const hidden = { env: { API_KEY: secret }, secrets: [secret] }
  const { event } = runServers([{ ...fixture('starts', 'dies'), ...hidden }])
  expect((await event('server-failed')).stderr).toMatch(/json"\s+\[hidden\]$/)

  const other = await runReady({ ...fixture('server'), ...hidden })
  await other.call('whisper')
  const lines = await until(() => {
    const found = other.events.flatMap((each) => (each.type === 'server-stderr' ? [each.text] : []))
    return found.includes('and on') && found
  })
  expect(lines).toEqual(['the key is [hidden]', '[hidden]', 'and on'])
})

test('[PROC.8] restarts a server that ends, first within 500 ms', async () => {
  const { call, event, text } = await runReady(fixture('server'))
  const before = await text('pid')
  await call('exit')
  expect((await event('server-exited')).retryInMs).toBeLessThan(500)
  await event('server-ready', 2)
  expect(await text('pid')).not.toBe(before)
})

test('[PROC.8] doubles the waits while a server keeps ending, until it ran for a minute', async () => {
  let skippedMs = 0
  const monotonicMs = () => realSystem.monotonicMs() + skippedMs
  const system = { ...realSystem, monotonicMs, random: () => 0.02 }
  const { call, event } = await runReady(fixture('server'), { system })
  const endAfter = async (n: number, wellMs: number) => {
    await event('server-ready', n)
    skippedMs += wellMs
    await call('exit')
    return (await event('server-exited', n)).retryInMs
  }
  expect([await endAfter(1, 0), await endAfter(2, 0), await endAfter(3, 50_000)]).toEqual([10, 20, 40])
  expect(await endAfter(4, 60_000)).toBe(10)
})

test('[PROC.9] ends everything a server started along with it', async () => {
  const { call, text } = await runReady(fixture('server'))
  const pids: number[] = JSON.parse(await text('grandchild'))
  expect(pids.every(isAlive)).toBe(true)
  await call('exit')
  await until(() => !pids.some(isAlive))
})

describe.runIf(existsSync('/proc'))('processes in separate sessions', () => {
  test('[PROC.9] end with the server that crashes', async () => {
    const { call, text } = await runReady(fixture('server'))
    const pids: number[] = JSON.parse(await text('strays'))
    expect(pids.every(isAlive)).toBe(true)
    await call('exit')
    // Without its parent, only the mark in its environment tells where a process comes from.
    await until(() => !isAlive(pids[0] ?? 0))
    process.kill(pids[1] ?? 0, 'SIGKILL')
  })

  test('[PROC.9] end with the server that is stopped, also without a mark', async () => {
    const { servers, text } = await runReady(fixture('server'))
    const pids: number[] = JSON.parse(await text('strays'))
    await servers.stop()
    expect(pids.filter(isAlive)).toEqual([])
  })

  test('[PROC.10] have time to close', async () => {
    const { servers, text } = await runReady(fixture('server'))
    const file = temporaryFile('closed')
    const pid = Number(await text('slow-stray', { file }))
    await servers.stop()
    expect(readFileSync(file, 'utf8')).toBe('closed\n')
    expect(isAlive(pid)).toBe(false)
  })

  test.each(['running', 'stopped'])(
    '[PROC.12] end with the agent that is killed, the server %s',
    async (state) => {
      const { agent, others } = await runAgentProcess('strays')
      // The reaper, the server, and two shells with a sleeper each.
      expect(others).toHaveLength(6)
      const server = others.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('starts.ts'))
      if (state === 'stopped') process.kill(server ?? 0, 'SIGSTOP')
      process.kill(agent, 'SIGKILL')
      await until(() => !others.some(isAlive), 5_000)
    },
  )
})

test('[PROC.10] kills a server that ignores the end of its input and SIGTERM, with everything it started', async () => {
  const file = temporaryFile('pid')
  const { servers } = await runReady(fixture('starts', 'stubborn', file))
  const pid = Number(readFileSync(file, 'utf8'))
  expect(isAlive(pid)).toBe(true)
  await servers.stop()
  expect(isAlive(pid)).toBe(false)
})

test('[PROC.10] ends the published servers with their input', async () => {
  const { servers, event, events } = runServers([published('everything'), published('memory')])
  await event('server-ready', 2)
  await servers.stop()
  expect(events.filter(({ type }) => type === 'server-exited')).toEqual([])
  expect(servers.catalog().map(({ state }) => state)).toEqual(['failed', 'failed'])
})

test('[PROC.11] replaces a reaper that dies', async () => {
  const reaper = new Reaper(realSystem)
  onTestFinished(() => reaper.close())
  const { text, event, call } = await runReady(fixture('server'), { reaper })
  const first = reaper.pid ?? 0
  process.kill(first, 'SIGKILL')
  const second = await until(() => reaper.pid !== first && reaper.pid)
  const pid = Number(await text('pid'))
  reaper.close()
  await until(() => !isAlive(pid) && !isAlive(second))
  expect(await event('server-exited')).toMatchObject({ reason: 'It was ended by SIGTERM.' })
  await call('pid')
})

test('[PROC.14] retries a reaper that cannot start, and keeps the agent running', async () => {
  const script = `ulimit -n 100 && exec '${process.execPath}' '${fixturePath('no-files-left')}'`
  const { stdout } = await promisify(execFile)('sh', ['-c', script])
  expect(JSON.parse(stdout)).toEqual([null, expect.any(Number)])
})

/** Runs an agent in a separate process, and returns its id and those of all its servers' processes. */
async function runAgentProcess(
  mode: 'npx' | 'stubborn' | 'strays' | 'at-once',
): Promise<{ agent: number; others: readonly number[] }> {
  const child = spawn(process.execPath, [fixturePath('agent'), mode, scratch()], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...COMPILE_CACHE, PATH: process.env.PATH, HOME: process.env.HOME, SECRET: 'canary' },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8')
  })
  const others = await until(() => output.endsWith('\n') && (JSON.parse(output) as number[]), 25_000)
  return { agent: child.pid ?? 0, others }
}

test.each(['npx', 'stubborn'] as const)(
  '[PROC.12] ends every process of a server within 5 seconds of a killed agent: %s',
  async (mode) => {
    const { agent, others } = await runAgentProcess(mode)
    expect(others.length).toBeGreaterThanOrEqual(mode === 'npx' ? 3 : 2)
    expect(others.filter((pid) => !isAlive(pid))).toEqual([])
    process.kill(agent, 'SIGKILL')
    await until(() => !others.some(isAlive), 5_000)
  },
)

test('[PROC.12] ends a server even if the agent is killed in the tick that started it', async () => {
  const { others } = await runAgentProcess('at-once')
  expect(others).toHaveLength(2)
  await until(() => !others.some(isAlive), 5_000)
})

test('[PROC.13] gives the reaper no environment, folder, terminal or session of the agent', async () => {
  const { reaper } = await runReady(fixture('server'))
  const pid = reaper.pid ?? 0
  const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean)
  expect(environment.map((pair) => pair.split('=')[0])).toEqual(['PATH'])
  const [, , , , session, terminal] = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, 'x ')
    .split(' ')
  expect([session, terminal]).toEqual([String(pid), '0'])
  expect(readlinkSync(`/proc/${pid}/cwd`)).toBe('/')
})
