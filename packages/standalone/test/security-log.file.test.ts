import { execFileSync, spawn } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync, readSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { realSystem, type System, streamSink } from '@bridgekeeper/bridge'
import { expect, test, vi } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'
import { scratch } from '../../../test/support/scratch.ts'
import { LogFile, type LogFileOptions } from '../src/security-log/log-file.ts'
import { call, current, linesOf, openTestLog, recordsOf, verify } from './support/logs.ts'

function logFile(fd: number, system: System, options: Partial<LogFileOptions> = {}): LogFile {
  const archivePath = (): string => '/nowhere/archive'
  return new LogFile({
    fd,
    path: '/nowhere',
    system,
    maxBytes: 1e9,
    archivePath,
    firstSeq: 1,
    onRecovered: () => {},
    ...options,
  })
}

const numbered = (count: number, width = 40): string[] =>
  Array.from({ length: count }, (_, i) => `${String(i).padStart(width - 1, '0')}\n`)

/** A named pipe: a disk that blocks until the test reads. */
function fifo(): { readonly path: string; readonly fd: number } {
  const path = join(scratch(), 'fifo')
  execFileSync('mkfifo', [path])
  return { path, fd: openSync(path, constants.O_RDWR) }
}

test('[LOG.6] writes an event to the file at once, and runs afterWritten at once', async () => {
  const log = openTestLog()
  log.logSecurityEvent(call('read'))
  let ran = false
  log.afterWritten(() => {
    ran = true
  })
  expect([ran, linesOf(log.folder).length]).toEqual([true, 1])
  expect(statSync(current(log.folder)).mode & 0o777).toBe(0o600)
  expect(statSync(`${current(log.folder)}.head`).mode & 0o777).toBe(0o600)
  await log.close()
})

test('[LOG.6] writes followed lines at the end of the turn, in order, and runs afterWritten only then', async () => {
  const log = openTestLog()
  const seen: string[] = []
  for (const name of ['a', 'b', 'c']) {
    log.logSecurityEvent(call(name), true)
    log.afterWritten(() => seen.push(`${name} after ${linesOf(log.folder).length}`))
  }
  expect([seen, linesOf(log.folder)]).toEqual([[], []])
  await new Promise((resolve) => setImmediate(resolve))
  expect(seen).toEqual(['a after 3', 'b after 3', 'c after 3'])
  log.logSecurityEvent(call('d'), true)
  log.logSecurityEvent(call('e'))
  expect(recordsOf(log.folder).map(({ toolName }) => toolName)).toEqual(['a', 'b', 'c', 'd', 'e'])
  log.logSecurityEvent(call('f'), true)
  await log.close()
  expect(verify(log.folder)).toMatchObject({ intact: true, lines: 6, anchoredSeq: 6 })
})

test('[LOG.6] holds back little of a turn that writes much', async () => {
  const log = openTestLog({ system: new FakeSystem() })
  for (let i = 0; i < 2_000; i++) log.logSecurityEvent(call(`tool ${i}`), true)
  const writtenBytes = statSync(current(log.folder)).size
  await log.close()
  expect(statSync(current(log.folder)).size - writtenBytes).toBeLessThan(66_000)
  expect(verify(log.folder)).toMatchObject({ intact: true, lines: 2_000 })
})

test('[LOG.8] keeps a turn’s unwritable lines, and releases everyone who waits for them', async () => {
  const system = new FakeSystem()
  const file = logFile(openSync('/dev/full', 'a'), system)
  const seen: string[] = []
  file.append('a\n', 1, true)
  file.afterWritten(() => seen.push('a'))
  expect([file.writable, seen]).toEqual([true, []])
  await new Promise((resolve) => setImmediate(resolve))
  expect([file.writable, seen]).toEqual([false, ['a']])
  file.append('b\n', 2, true)
  file.afterWritten(() => seen.push('b'))
  expect([seen, system.armed]).toEqual([['a', 'b'], 1])
  await file.close()
  expect([file.writable, system.armed]).toEqual([false, 0])
})

test('[LOG.6] through the thread pool, runs afterWritten once its lines are in the file, in order', async () => {
  const path = join(scratch(), 'log')
  let nowMs = 0
  // A clock that makes each write appear slow, so that later writes use the thread pool.
  const system = { ...realSystem(), monotonicMs: () => (nowMs += 60) }
  const file = logFile(openSync(path, 'ax'), system)
  const lines = numbered(200)
  const seen: number[] = []
  for (const [i, line] of lines.entries()) {
    file.append(line, i + 1)
    file.afterWritten(() => {
      expect(readFileSync(path, 'latin1').startsWith(lines.slice(0, i + 1).join(''))).toBe(true)
      seen.push(i)
    })
  }
  await file.close()
  expect(seen).toEqual(lines.map((_, i) => i))
  expect(readFileSync(path, 'latin1')).toBe(lines.join(''))
})

test('[LOG.7] delays one write at most while the disk stalls, and keeps the lines in order', async () => {
  const { path, fd } = fifo()
  const file = logFile(fd, realSystem())
  // A reader in another process, which lets the pipe fill up first and then again and again.
  const reading = 'sleep 0.3; i=0; while [ $i -lt 8 ]; do head -c 25000; sleep 0.2; i=$((i+1)); done <"$0"'
  const reader = spawn('sh', ['-c', reading, path])
  const parts: Buffer[] = []
  reader.stdout.on('data', (part: Buffer) => parts.push(part))
  const ended = new Promise((resolve) => reader.once('close', resolve))
  let heldUp = 0
  for (const [i, line] of numbered(5_000).entries()) {
    const startMs = performance.now()
    file.append(line, i + 1)
    const tookMs = performance.now() - startMs
    // A stall takes 200 ms; a wait for the processor takes less.
    if (tookMs > 100) heldUp += 1
    if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  // Zero if an earlier write was slow enough to switch to the thread pool.
  expect(heldUp).toBeLessThanOrEqual(1)
  await ended
  await new Promise<void>((resolve) => file.afterWritten(resolve))
  expect(Buffer.concat(parts).toString()).toBe(numbered(5_000).join(''))
  await file.close()
})

test('[LOG.8] on a full disk, reports unwritable, releases waiters, and refuses lines without room', async () => {
  const system = new FakeSystem()
  const file = logFile(openSync('/dev/full', 'a'), system)
  file.append('a\n', 1)
  expect(file.writable).toBe(false)
  let released = 0
  file.afterWritten(() => {
    released += 1
  })
  expect(released).toBe(1)
  for (let i = 0; file.hasRoom(1_000); i++) file.append(`${'x'.repeat(999)}\n`, i + 2)
  expect([file.hasRoom(1_048_576 - 1_048_002), file.hasRoom(1_000)]).toEqual([true, false])
  // Every try fails again; the next one is a second later.
  for (let tries = 0; tries < 3; tries++) {
    expect(system.armed).toBe(1)
    system.advance(1_000)
    await vi.waitFor(() => expect(system.armed).toBe(1))
    expect(file.writable).toBe(false)
  }
  await file.close()
  expect([file.writable, system.armed]).toEqual([false, 0])
})

test('[LOG.8] releases lines that wait while a slow write fails', async () => {
  let nowMs = 0
  const system = { ...realSystem(), monotonicMs: () => (nowMs += 60) }
  const { path, fd } = fifo()
  const file = logFile(openSync(path, constants.O_RDWR | constants.O_NONBLOCK), system)
  file.append('slow\n', 1)
  file.append('z'.repeat(200_000), 2)
  expect(file.writable).toBe(true)
  await new Promise<void>((resolve) => file.afterWritten(resolve))
  expect(file.writable).toBe(false)
  await file.close()
  closeSync(fd)
})

test('[LOG.8] counts lines without room on a slow disk, and reports unwritable until there is room', async () => {
  let nowMs = 0
  const system = { ...realSystem(), monotonicMs: () => (nowMs += 60) }
  const log = openTestLog({ system })
  let recorded = 0
  while (log.writable) log.logSecurityEvent(call(`tool ${recorded++}`))
  for (let i = 0; i < 99; i++) log.logSecurityEvent(call(`tool ${recorded++}`))
  await vi.waitFor(() => expect(log.writable).toBe(true))
  await log.close()
  const records = recordsOf(log.folder)
  const { lost } = records.find(({ event }) => event === 'log_gap') ?? {}
  expect(records.length - 1 + Number(lost)).toBe(recorded)
  expect(verify(log.folder).intact).toBe(true)
})

test('[LOG.8] tears and loses no line on a small disk that fills up, and records the gap', async (context) => {
  const folder = scratch()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    return context.skip('only root can mount')
  }
  try {
    await fillsUp(folder)
  } finally {
    execFileSync('umount', ['-l', folder])
  }
})

async function fillsUp(folder: string): Promise<void> {
  writeFileSync(join(folder, 'ballast'), Buffer.alloc(16_384))
  const log = openTestLog({ folder })
  let recorded = 0
  while (log.writable) {
    log.logSecurityEvent(call(`tool ${recorded++}`))
    if (recorded % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
    if (recorded > 10_000) throw new Error('the disk never filled up')
  }
  for (let i = 0; i < 6_000; i++) log.logSecurityEvent(call(`tool ${recorded++}`))
  expect(log.writable).toBe(false)
  execFileSync('mount', ['-o', 'remount,size=8m', folder])
  await vi.waitFor(() => expect(log.writable).toBe(true), 3_000)
  await log.close()
  const records = recordsOf(folder)
  const gap = records.find(({ event }) => event === 'log_gap')
  expect(gap).toMatchObject({ error: expect.stringContaining('ENOSPC') })
  const kept = records.filter(({ event }) => event === 'ws_tool_execution_request')
  expect(kept.map(({ toolName }) => toolName)).toEqual(kept.map((_, i) => `tool ${i}`))
  expect(kept.length + Number(gap?.lost)).toBe(recorded)
  expect(Number(gap?.lost)).toBeGreaterThan(0)
  expect(verify(folder)).toMatchObject({ intact: true, tornBytes: 0, lines: records.length })
}

test('[LOG.8] reports a failed write in the log, also when nothing was lost', async () => {
  const system = new FakeSystem()
  const mended: Error[] = []
  const { path, fd } = fifo()
  // A non-blocking pipe that is full, then has room again, like a disk after a clean-up.
  const writer = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  const file = logFile(writer, system, { onRecovered: (error) => mended.push(error) })
  const line = `${'y'.repeat(9_999)}\n`
  let count = 0
  while (file.writable && count < 50) {
    file.append(line, ++count)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  expect(file.writable).toBe(false)
  // More than the pipe takes at once, so that the rest is written in parts.
  for (let i = 0; i < 20; i++) file.append(line, ++count)
  let read = ''
  const bytes = Buffer.alloc(65_536)
  while (read.length < count * line.length) {
    system.advance(1_000)
    read += bytes.toString('latin1', 0, readSync(fd, bytes))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  expect(read).toBe(line.repeat(count))
  await vi.waitFor(() => expect(file.writable).toBe(true))
  expect(mended.length).toBeGreaterThan(0)
  await file.close()
  closeSync(fd)
})

test('[LOG.12] rotates a full file and continues the chain, also after a restart', async () => {
  const folder = scratch()
  for (let run = 0; run < 3; run++) {
    const log = openTestLog({ folder, maxFileBytes: 2_000 })
    for (let i = 0; i < 20; i++) log.logSecurityEvent(call(`${run}.${i}`))
    await log.close()
  }
  const found = verify(folder)
  expect(found).toMatchObject({ intact: true, lines: 60, firstSeq: 1, lastSeq: 60 })
  expect(found.files).toBeGreaterThan(8)
  expect(statSync(join(folder, 'security-1.log')).size).toBeGreaterThanOrEqual(2_000)
})

test('[LOG.12] grows a file that cannot be rotated', async () => {
  const folder = scratch()
  writeFileSync(join(folder, 'security-1.log'), '')
  const log = openTestLog({ folder, maxFileBytes: 1_000 })
  for (let i = 0; i < 20; i++) log.logSecurityEvent(call('a'))
  await log.close()
  expect(linesOf(folder)).toHaveLength(20)
  const path = join(scratch(), 'log')
  const elsewhere = logFile(openSync(path, 'ax'), realSystem(), {
    maxBytes: 1,
    path,
    archivePath: () => '/nowhere/x',
  })
  for (let i = 1; i < 9; i++) elsewhere.append('line\n', i)
  await elsewhere.close()
  expect(readFileSync(path, 'latin1')).toBe('line\n'.repeat(8))
})

test('[LOG.13] drops lines for a reader that stops, counts them, and delays nothing', async () => {
  const stream = new PassThrough({ highWaterMark: 10 })
  const system = new FakeSystem()
  const log = openTestLog({ system, sinks: [streamSink(stream, system)] })
  for (let i = 0; i < 10_000; i++) {
    log.logSecurityEvent(call(`tool ${i}`))
    if (i % 1_000 === 0) system.advance(50)
  }
  expect([log.writable, linesOf(log.folder).length]).toEqual([true, 10_000])
  let read = ''
  stream.on('data', (part: Buffer) => {
    read += part.toString('latin1')
  })
  await vi.waitFor(() => expect(stream.writableLength).toBe(0))
  log.logSecurityEvent(call('the last'))
  await log.close()
  await vi.waitFor(() => expect(read).toContain('the last'))
  const got = read
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
  expect(got.at(-2)).toEqual({ dropped: 10_001 - (got.length - 1) })
  expect(got.length).toBeGreaterThan(1_000)
  expect(
    read.startsWith(
      linesOf(log.folder)
        .slice(0, got.length - 2)
        .join('\n'),
    ),
  ).toBe(true)
})

test('[LOG.13] closes the log although a reader is gone or never reads', async () => {
  const stuck = new PassThrough({ highWaterMark: 1 })
  const gone = new PassThrough()
  const system = new FakeSystem()
  const log = openTestLog({ sinks: [streamSink(stuck, system), streamSink(gone, system)] })
  log.logSecurityEvent(call('a'))
  gone.destroy(new Error('EPIPE'))
  await new Promise((resolve) => gone.once('close', resolve))
  log.logSecurityEvent(call('b'))
  let isClosed = false
  const closed = log.close().then(() => (isClosed = true))
  // Two flushes, and the patience with the stuck reader.
  await vi.waitFor(() => expect(system.armed).toBe(3))
  expect(isClosed).toBe(false)
  system.advance(1_000)
  await closed
  expect(linesOf(log.folder)).toHaveLength(2)
})
