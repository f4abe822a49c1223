import {
  appendFileSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { type SecurityEvent, streamLog, streamSink } from '@bridgekeeper/bridge'
import { expect, test, vi } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'
import { scratch } from '../../../test/support/scratch.ts'
import { AnchorKeeper } from '../src/security-log/anchor-keeper.ts'
import { archivePaths, linesFromEnd } from '../src/security-log/files.ts'
import { call, current, linesOf, openTestLog, recordsOf, verify, writtenLog } from './support/logs.ts'

const tools = (count: number): SecurityEvent[] => Array.from({ length: count }, (_, i) => call(`tool ${i}`))
const anchorOf = (folder: string): string => `${current(folder)}.head`
const openFiles = (): number => readdirSync('/proc/self/fd').length

test('[LOG.9] writes the anchor within 100 ms of a line, one write at a time, also for lines during one', async () => {
  const system = new FakeSystem()
  const writes: (() => void)[] = []
  const keeper = new AnchorKeeper(system, (done) => writes.push(done))
  keeper.follow()
  keeper.follow()
  system.advance(99)
  expect([writes.length, system.armed]).toEqual([0, 1])
  system.advance(1)
  expect([writes.length, system.armed]).toEqual([1, 0])
  keeper.follow()
  system.advance(1_000)
  expect(writes).toHaveLength(1)
  writes[0]?.()
  system.advance(100)
  expect(writes).toHaveLength(2)
  let closed = false
  const closing = keeper.close().then(() => {
    closed = true
  })
  await Promise.resolve()
  expect(closed).toBe(false)
  writes[1]?.()
  await closing
  expect([writes.length, system.armed]).toEqual([2, 0])
})

test('[LOG.9] closes at once a log that recorded nothing or whose anchor waits', async () => {
  const system = new FakeSystem()
  expect(linesOf(await writtenLog([], { system }))).toEqual([])
  const folder = await writtenLog([call('a')], { system })
  expect(system.armed).toBe(0)
  expect(verify(folder)).toMatchObject({ intact: true, anchoredSeq: 1 })
})

test('[LOG.14] catches up with the next anchor after a failed write', async () => {
  const system = new FakeSystem()
  const log = openTestLog({ system })
  mkdirSync(`${anchorOf(log.folder)}.new`)
  log.logSecurityEvent(call('a'))
  system.advance(100)
  // Written or not: a line after that is followed once more.
  await vi.waitFor(() => {
    log.logSecurityEvent(call('b'))
    expect(system.armed).toBe(1)
  })
  expect(verify(log.folder)).toMatchObject({ intact: true, anchoredSeq: 0 })
  rmSync(`${anchorOf(log.folder)}.new`, { recursive: true })
  system.advance(100)
  await vi.waitFor(() => expect(verify(log.folder).anchoredSeq).toBeGreaterThanOrEqual(2))
  expect(log.writable).toBe(true)
  await log.close()
})

test('[LOG.8] vouches for no missing line when it closes on a full disk', async () => {
  const folder = scratch()
  symlinkSync('/dev/full', current(folder))
  const log = openTestLog({ folder, system: new FakeSystem() })
  log.logSecurityEvent(call('a'))
  expect(log.writable).toBe(false)
  await log.close()
  rmSync(current(folder))
  expect(verify(folder)).toMatchObject({ intact: true, lines: 0, anchoredSeq: 0 })
})

test('[LOG.12] grows the old file while no new one can be created', async () => {
  const folder = scratch()
  const log = openTestLog({ folder, maxFileBytes: 1_000 })
  for (const event of tools(4)) log.logSecurityEvent(event)
  // State after archiving a file when a new one could not be created.
  renameSync(current(folder), join(folder, 'security-1.log'))
  mkdirSync(current(folder))
  for (const event of tools(4)) log.logSecurityEvent(event)
  expect(readFileSync(join(folder, 'security-1.log'), 'latin1').split('\n')).toHaveLength(9)
  rmSync(current(folder), { recursive: true })
  for (const event of tools(4)) log.logSecurityEvent(event)
  await log.close()
  expect(verify(folder)).toMatchObject({ intact: true, lines: 12, lastSeq: 12 })
  expect(linesOf(folder).length).toBeGreaterThan(0)
})

test('[LOG.14] reads lines from the end across any border, and ignores files with other names', () => {
  const folder = scratch()
  const path = join(folder, 'lines')
  for (const lines of [
    [],
    [''],
    ['', 'a', ''],
    ['a'.repeat(200_000), '', 'b', 'c'.repeat(65_536), 'd'.repeat(65_534)],
  ]) {
    for (const torn of ['', 'torn', 't'.repeat(70_000)]) {
      writeFileSync(path, lines.map((line) => `${line}\n`).join('') + torn)
      expect([...linesFromEnd(path)]).toEqual(lines.toReversed())
    }
  }
  for (const name of [
    'security-1.log',
    'security-20.log',
    'security-3.log',
    'security-04.log',
    'security-.log',
    'xsecurity-5.log',
  ])
    writeFileSync(join(folder, name), '')
  expect(archivePaths(folder)).toEqual([1, 3, 20].map((seq) => join(folder, `security-${seq}.log`)))
})

test('[AUDIT.1] detects a missing line that the anchor covers, with others after it', async () => {
  const folder = await writtenLog(tools(3))
  const anchor = readFileSync(anchorOf(folder))
  await writtenLog(tools(3), { folder })
  const [first, second, , ...others] = linesOf(folder)
  writeFileSync(current(folder), [first, second, ...others].map((line) => `${line}\n`).join(''))
  writeFileSync(anchorOf(folder), anchor)
  expect(verify(folder).problems).toMatchObject([
    { kind: 'missing', line: 3 },
    { kind: 'anchor_differs', text: 'The line 3, which the anchor names, is missing.' },
  ])
  await writtenLog([call('next')], { folder })
  expect(recordsOf(folder).slice(5)).toMatchObject([
    { event: 'log_unproven', reason: 'lines_differ', seq: 7 },
    { toolName: 'next', seq: 8 },
  ])
})

test('[AUDIT.3] reads a file rotated during opening once, and ignores a missing one', async () => {
  const folder = await writtenLog(tools(12), { maxFileBytes: 1_000 })
  const whole = verify(folder)
  expect(whole).toMatchObject({ intact: true, files: 3, lines: 12 })
  // The first file, found again under its archived name.
  linkSync(current(folder), join(folder, 'security-9.log'))
  expect(verify(folder)).toEqual(whole)
  rmSync(current(folder))
  expect(verify(folder)).toEqual(whole)
})

test('[AUDIT.2] reports a file that cannot be opened, and leaves nothing open', async () => {
  const folder = await writtenLog(tools(12), { maxFileBytes: 1_000 })
  const before = openFiles()
  symlinkSync('nowhere', join(folder, 'security-20.log'))
  expect(() => verify(folder)).toThrow('ENOENT')
  rmSync(current(folder))
  symlinkSync('security.log', current(folder))
  expect(() => verify(folder)).toThrow('ELOOP')
  expect(openFiles()).toBe(before)
})

test('[AUDIT.2] accepts a first line longer than any of its own', async () => {
  const folder = scratch()
  writeFileSync(current(folder), `${'x'.repeat(3_000_000)}\n${'y'.repeat(100)}`)
  expect(verify(folder)).toMatchObject({ lines: 1, tornBytes: 100 })
  expect(verify(folder).problems.map(({ kind }) => kind)).toEqual(['not_a_line', 'anchor_missing'])
  appendFileSync(current(folder), '\n')
  expect(verify(folder)).toMatchObject({ lines: 2, tornBytes: 0 })
})

test('[LOG.13] delivers everything to a late reader before the log closes', async () => {
  const stream = new PassThrough({ highWaterMark: 1 })
  const system = new FakeSystem()
  const sink = streamSink(stream, system)
  sink.write('one\n')
  sink.write('two\n')
  expect(stream.writableLength + stream.readableLength).toBe(0)
  system.advance(50)
  sink.write('three\n')
  const closing = sink.close()
  let read = ''
  stream.on('data', (part: Buffer) => {
    read += part.toString('latin1')
  })
  await closing
  expect(read).toBe('one\ntwo\nthree\n')
  // The timer of the patience is cancelled; the pending flush has nothing to do.
  system.advance(50)
  expect(system.armed).toBe(0)
})

test('[LOG.2] writes the same lines to a stream without a file, unchained', async () => {
  const stream = new PassThrough()
  const system = new FakeSystem()
  const log = streamLog(stream, system)
  log.logSecurityEvent(call('Bearer abcdefghijkl'))
  log.logSecurityEvent({ event: 'no_such_event' } as unknown as SecurityEvent)
  log.logSecurityEvent(call('b'))
  let ran = false
  log.afterWritten(() => {
    ran = true
  })
  expect([ran, log.writable]).toEqual([true, true])
  system.advance(50)
  const lines = String(stream.read()).split('\n').slice(0, -1)
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { event: 'ws_tool_execution_request', toolName: 'Bearer [redacted]' },
    { toolName: 'b' },
  ])
  expect(lines.join()).not.toContain('hash')
})

test('[LOG.11] records an earlier event with its own time', async () => {
  const log = openTestLog()
  log.recordAt({ event: 'user_added', userId: 'ann' }, 0)
  await log.close()
  expect(recordsOf(log.folder)).toMatchObject([{ timestamp: '1970-01-01T00:00:00.000Z', userId: 'ann' }])
})

test('[LOG.8] retries once when it closes after a failed write', async () => {
  const system = new FakeSystem()
  const folder = scratch()
  symlinkSync('/dev/full', current(folder))
  const log = openTestLog({ folder, system })
  log.logSecurityEvent(call('a'))
  // The anchor's turn, and the second try of the line.
  expect(system.armed).toBe(2)
  const closing = log.close()
  expect(system.armed).toBeLessThanOrEqual(1)
  system.advance(1_000)
  await closing
  expect([log.writable, system.armed]).toEqual([false, 0])
})
