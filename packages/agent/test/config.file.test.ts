import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { scratch } from '../../../test/support/scratch.ts'
import { FileWatch, LATEST_MS, POLL_MS, QUIET_MS } from '../src/config/file-watch.ts'
import { MAX_CONFIG_BYTES } from '../src/config/read-config.ts'
import { ConfigFile, realSystem, type ServerEntry, type System } from '../src/index.ts'
import { FakeSystem } from './support/fake-system.ts'
import { until } from './support/until.ts'

const text = (...names: string[]) =>
  JSON.stringify({ mcpServers: Object.fromEntries(names.map((name) => [name, { command: 'x' }])) })

interface Followed {
  /** Each report: the names of the servers, or why they stay. */
  readonly reports: (string | { readonly code: string; readonly message: string })[]
  /** Waits for the next report. */
  next(): Promise<Followed['reports'][number]>
  end(): void
}

/** Reads a file, and follows it until the test ends. */
async function follow(path: string, system: System = realSystem, afterRead = () => {}): Promise<Followed> {
  const file = new ConfigFile(path, {})
  await file.read()
  afterRead()
  const reports: Followed['reports'] = []
  const end = file.watch({
    system,
    onServers: (servers: readonly ServerEntry[]) => reports.push(servers.map(({ name }) => name).join()),
    onUnread: ({ code, message }) => reports.push({ code, message }),
  })
  onTestFinished(end)
  let seen = 0
  const next = async () => {
    await until(() => reports.length > seen)
    return reports[seen++] ?? ''
  }
  return { reports, next, end }
}

async function inScratch(names = ['a']) {
  const folder = scratch()
  const path = join(folder, 'mcp.json')
  writeFileSync(path, text(...names))
  return { folder, path, ...(await follow(path)) }
}

test('[CONFIG.22] reports each edit: written in place, and replaced by another file', async () => {
  const { folder, path, next } = await inScratch()
  writeFileSync(path, text('a', 'b'))
  expect(await next()).toBe('a,b')
  for (const names of [['c'], ['d']]) {
    writeFileSync(join(folder, '.mcp.json.swp'), text(...names))
    renameSync(join(folder, '.mcp.json.swp'), path)
    expect(await next()).toBe(names.join())
  }
  renameSync(path, `${path}~`)
  writeFileSync(path, text('e'))
  expect(await next()).toBe('e')
})

test('[CONFIG.22] follows links: the file behind one changes, or the link leads elsewhere', async () => {
  const [links, files] = [scratch(), scratch()]
  const path = join(links, 'mcp.json')
  writeFileSync(join(files, 'one.json'), text('a'))
  writeFileSync(join(files, 'two.json'), text('b'))
  symlinkSync(join(files, 'one.json'), path)
  const { next } = await follow(path)
  writeFileSync(join(files, 'one.json'), text('c'))
  expect(await next()).toBe('c')
  symlinkSync(join(files, 'two.json'), `${path}.new`)
  renameSync(`${path}.new`, path)
  expect(await next()).toBe('b')
  writeFileSync(join(files, 'two.json'), text('d'))
  expect(await next()).toBe('d')
})

test('[CONFIG.22] an edit between the first reading and the watching is reported, and none after its end', async () => {
  const path = join(scratch(), 'mcp.json')
  writeFileSync(path, text('a'))
  const file = new ConfigFile(path, {})
  await file.read()
  writeFileSync(path, text('b'))
  const system = new FakeSystem()
  const reports: number[] = []
  const watchers = { system, onUnread: () => {}, onServers: () => void reports.push(1) }
  const end = file.watch(watchers)
  await until(() => reports.length === 1)
  end()
  writeFileSync(path, text('c'))
  await system.advance(POLL_MS * 2)
  expect(reports).toHaveLength(1)
})

test('[CONFIG.22] reads a file once it has been quiet, and one that keeps changing after two seconds', async () => {
  const path = join(scratch(), 'mcp.json')
  const system = new FakeSystem()
  let reads = 0
  const watch = new FileWatch(path, system, async () => void reads++)
  onTestFinished(() => watch.close())
  await until(() => reads === 1)
  for (let at = 0; at < 3; at++) {
    watch.soon()
    await system.advance(QUIET_MS - 1)
  }
  expect(reads).toBe(1)
  await system.advance(1)
  await until(() => reads === 2)

  const sinceMs = system.monotonicMs()
  await until(async () => {
    watch.soon()
    await system.advance(QUIET_MS / 2)
    return reads === 3
  })
  expect(system.monotonicMs() - sinceMs).toBeGreaterThanOrEqual(LATEST_MS)
})

test('[CONFIG.22] without reports of the system, it compares the file every few seconds', async () => {
  const folder = scratch()
  const path = join(folder, 'sub', 'mcp.json')
  mkdirSync(join(folder, 'sub'))
  writeFileSync(path, text('a'))
  const system = new FakeSystem()
  const { reports } = await follow(path, system)
  // The watched folder is gone; the new one is not watched.
  renameSync(join(folder, 'sub'), join(folder, 'away'))
  mkdirSync(join(folder, 'sub'))
  writeFileSync(path, text('b'))
  await until(async () => {
    await system.advance(POLL_MS)
    return reports.length > 0
  })
  expect(reports).toEqual(['b'])
})

test('[CONFIG.23] a version that cannot be used is reported once, with its place, and a later one is taken', async () => {
  const { path, reports, next } = await inScratch()
  writeFileSync(path, '{\n  "mcpServers": {\n    "a": {]\n')
  expect(await next()).toMatchObject({ code: 'config_malformed', message: expect.stringContaining('3:11') })
  writeFileSync(path, text('a', 'b'))
  expect(await next()).toBe('a,b')
  const duplicate =
    '{ "mcpServers": {\n "a": { "command": "x" },\n "a": { "command": "y" }, "b": { "command": "x" } } }'
  writeFileSync(path, duplicate)
  expect(await next()).toMatchObject({
    code: 'config_duplicate_server',
    message: expect.stringContaining('in lines 2 and 3'),
  })
  unlinkSync(path)
  expect(await next()).toMatchObject({ code: 'config_missing', message: expect.stringContaining('ENOENT') })
  // The servers that run are confirmed.
  writeFileSync(path, text('a', 'b'))
  expect(await next()).toBe('a,b')
  expect(reports).toHaveLength(5)
})

test('[CONFIG.23] refuses a version that is too large, a folder, no servers member, and one that all may write', async () => {
  const { path, next } = await inScratch()
  writeFileSync(path, `${text('b')}${' '.repeat(MAX_CONFIG_BYTES)}`)
  expect(await next()).toMatchObject({ code: 'config_too_large' })
  rmSync(path)
  mkdirSync(path)
  expect(await next()).toMatchObject({ code: 'config_missing' })
  rmSync(path, { recursive: true })
  writeFileSync(path, '{ "mcpServer": {} }')
  expect(await next()).toMatchObject({ code: 'config_no_servers' })
  writeFileSync(path, `${'['.repeat(100_000)}`)
  expect(await next()).toMatchObject({ code: 'config_malformed' })
  writeFileSync(path, text('c'))
  expect(await next()).toBe('c')
  chmodSync(path, 0o666)
  expect(await next()).toMatchObject({ code: 'config_exposed' })
})

test('[CONFIG.23] a version that an editor has written by half is not reported', async () => {
  const path = join(scratch(), 'mcp.json')
  writeFileSync(path, text('a'))
  const system = new FakeSystem()
  const delays: number[] = []
  const schedule: System['schedule'] = (delayMs, run) => {
    delays.push(delayMs)
    return system.schedule(delayMs, run)
  }
  const { nowMs, monotonicMs, random } = system
  const reports = await follow(path, { nowMs, monotonicMs, random, schedule }, () =>
    writeFileSync(path, ''),
  ).then((followed) => followed.reports)
  // It was read, and is to be read again.
  await until(() => delays.includes(QUIET_MS))
  writeFileSync(path, text('b'))
  await until(async () => {
    await system.advance(QUIET_MS)
    return reports.length > 0
  })
  expect(reports).toEqual(['b'])
})

test('[CONFIG.23] the same unusable content is reported once, however often it is written', async () => {
  const path = join(scratch(), 'mcp.json')
  writeFileSync(path, text('a'))
  const system = new FakeSystem()
  const { reports } = await follow(path, system)
  let rounds = 0
  await until(async () => {
    if (rounds++ % 5 === 0) writeFileSync(path, '{')
    await system.advance(POLL_MS)
    return rounds > 30 && reports.length > 0
  })
  expect(reports).toMatchObject([{ code: 'config_malformed' }])
})

test('[CONFIG.24] the last servers can be switched off, and comments change nothing', async () => {
  const { path, reports, next } = await inScratch()
  writeFileSync(path, `${text('a')} // mine`)
  writeFileSync(path, '{ "mcpServers": { "a": { "command": "x", "disabled": true } } }')
  expect(await next()).toBe('')
  writeFileSync(path, '{ "mcpServers": {} }')
  writeFileSync(path, text('a'))
  expect(await next()).toBe('a')
  expect(reports).toHaveLength(2)
})

test('[CONFIG.24] ignores the order of the entries', async () => {
  const path = join(scratch(), 'mcp.json')
  writeFileSync(path, text('a', 'b'))
  const system = new FakeSystem()
  const { reports } = await follow(path, system)
  let rounds = 0
  await until(async () => {
    if (rounds++ % 5 === 0) writeFileSync(path, rounds % 2 === 0 ? text('a', 'b') : text('b', 'a'))
    await system.advance(POLL_MS)
    return rounds > 30
  })
  expect(reports).toEqual([])
})
