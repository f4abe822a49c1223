import { createHash } from 'node:crypto'
import { appendFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SecurityEvent } from '@bridgekeeper/bridge'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { scratch } from '../../../test/support/scratch.ts'
import { verifyLog } from '../src/security-log/verify.ts'
import { call, current, KEY, linesOf, openTestLog, recordsOf, verify, writtenLog } from './support/logs.ts'

const LINES = 12
const tools = Array.from({ length: LINES }, (_, i) => call(`tool ${i}`))
const anchorOf = (folder: string): string => `${current(folder)}.head`

async function reopened(folder: string, ...events: SecurityEvent[]): Promise<Record<string, unknown>[]> {
  const before = linesOf(folder).length
  await writtenLog(events, { folder })
  return recordsOf(folder).slice(before)
}

/** The same lines with other content, chained without the key. */
function forged(lines: readonly string[]): string {
  let hash = '0'.repeat(64)
  return lines
    .map((line) => {
      const covered = line.slice(0, line.lastIndexOf(',"hash"')).replace('tool 3', 'innocent')
      hash = createHash('sha256')
        .update(hash + covered)
        .digest('hex')
      return `${covered},"hash":"${hash}"}\n`
    })
    .join('')
}

test('[AUDIT.1] hashes as documented, and finds its own output intact', async () => {
  const folder = await writtenLog(tools)
  const [first = ''] = linesOf(folder)
  const covered = first.slice(0, first.indexOf(',"hash"'))
  const hash = createHash('sha256')
    .update('0'.repeat(64) + covered)
    .digest('hex')
  expect(first).toBe(`${covered},"hash":"${hash}"}`)
  expect(verify(folder)).toEqual({
    intact: true,
    files: 1,
    lines: LINES,
    firstSeq: 1,
    lastSeq: LINES,
    anchoredSeq: LINES,
    tornBytes: 0,
    problems: [],
    problemCount: 0,
  })
})

const ANY = { numRuns: 150 }

test('[AUDIT.1] finds a change of any byte', async () => {
  const folder = await writtenLog(tools)
  const whole = readFileSync(current(folder))
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (place, change) => {
      const altered = Buffer.from(whole)
      altered[place] = (altered[place] ?? 0) ^ change
      writeFileSync(current(folder), altered)
      expect(verify(folder).intact).toBe(false)
    }),
    ANY,
  )
})

type Lines = (readonly [string, (lines: string[], a: number, b: number) => string[]])[]
const manipulations: Lines = [
  ['a line is taken out', (lines, a) => lines.toSpliced(a, 1)],
  ['lines are taken out', (lines, a, b) => lines.toSpliced(Math.min(a, b), Math.abs(a - b) + 1)],
  ['two lines change places', (lines, a, b) => lines.with(a, lines[b] ?? '').with(b, lines[a] ?? '')],
  ['a line is put in twice', (lines, a, b) => lines.toSpliced(b, 0, lines[a] ?? '')],
  ['a foreign line is put in', (lines, a) => lines.toSpliced(a, 0, '{"timestamp":"x"}')],
  ['the tail is cut off', (lines, a) => lines.slice(0, a)],
]

test.each(manipulations)('[AUDIT.1] detects when %s', async (_, manipulate) => {
  const folder = await writtenLog(tools)
  const lines = linesOf(folder)
  const place = fc.nat(LINES - 1)
  fc.assert(
    fc.property(place, place, (a, b) => {
      const altered = manipulate(lines, a, b)
      fc.pre(altered.join() !== lines.join())
      writeFileSync(current(folder), altered.map((line) => `${line}\n`).join(''))
      expect(verify(folder).intact).toBe(false)
    }),
    ANY,
  )
})

test('[AUDIT.1] detects a cut at any byte', async () => {
  const folder = await writtenLog(tools)
  const whole = readFileSync(current(folder))
  fc.assert(
    fc.property(fc.nat(whole.length - 1), (size) => {
      writeFileSync(current(folder), whole.subarray(0, size))
      expect(verify(folder).intact).toBe(false)
    }),
    ANY,
  )
})

test('[AUDIT.1] detects a chain rebuilt without the key, and a foreign anchor', async () => {
  const folder = await writtenLog(tools)
  const lines = linesOf(folder)
  writeFileSync(current(folder), forged(lines))
  expect(verify(folder).problems).toMatchObject([{ kind: 'anchor_differs', line: LINES }])
  const other = await writtenLog(tools, { key: Buffer.alloc(32, 9) })
  writeFileSync(anchorOf(folder), readFileSync(anchorOf(other)))
  expect(verify(folder).problems).toMatchObject([{ kind: 'anchor_unproven' }])
  writeFileSync(anchorOf(folder), 'rubbish')
  expect(verify(folder).problems).toMatchObject([{ kind: 'anchor_unproven' }])
  rmSync(anchorOf(folder))
  expect(verify(folder).problems).toMatchObject([{ kind: 'anchor_missing' }])
  rmSync(current(folder))
  expect(verify(folder)).toMatchObject({ intact: true, lines: 0, firstSeq: 0, lastSeq: 0 })
  expect(() => verifyLog(anchorOf(other), KEY)).toThrow()
})

test('[AUDIT.1] accepts files missing at the start, but not in the middle, nor missing lines', async () => {
  const folder = await writtenLog(tools, { maxFileBytes: 1_000 })
  const at = (seq: number) => join(folder, `security-${seq}.log`)
  expect(verify(folder)).toMatchObject({ intact: true, files: 3 })
  const [first, second] = [readFileSync(at(1)), readFileSync(at(5))]
  rmSync(at(5))
  expect(verify(folder).problems).toMatchObject([{ kind: 'missing', file: 'security.log', line: 1 }])
  writeFileSync(at(5), second)
  rmSync(at(1))
  expect(verify(folder)).toMatchObject({ intact: true, firstSeq: 5 })
  writeFileSync(at(5), second.subarray(second.indexOf('\n') + 1))
  expect(verify(folder).problems).toMatchObject([{ kind: 'missing', file: 'security-5.log', line: 1 }])
  writeFileSync(at(5), second)
  writeFileSync(at(1), first.subarray(0, -10))
  expect(verify(folder).problems.map(({ kind }) => kind)).toContain('not_a_line')
  rmSync(at(1))
  rmSync(at(5))
  writeFileSync(
    current(folder),
    linesOf(folder)
      .slice(1)
      .map((line) => `${line}\n`)
      .join(''),
  )
  expect(verify(folder).problems).toMatchObject([{ kind: 'missing', file: 'security.log', line: 1 }])
  expect(await reopened(folder)).toMatchObject([{ event: 'log_unproven', reason: 'start_missing' }])
  expect(verify(folder).intact).toBe(false)
})

test('[AUDIT.1] detects a file with missing first lines passed off as an older one', async () => {
  const folder = await writtenLog(tools)
  const kept = linesOf(folder)
    .slice(8)
    .map((line) => `${line}\n`)
  writeFileSync(join(folder, 'security-9.log'), kept.join(''))
  writeFileSync(current(folder), '')
  expect(verify(folder).problems).toMatchObject([{ kind: 'missing', file: 'security-9.log', line: 1 }])
  expect(await reopened(folder)).toMatchObject([{ event: 'log_unproven', reason: 'start_missing' }])
  await reopened(folder, call('later'))
  expect(verify(folder).intact).toBe(false)
})

test('[AUDIT.2] keeps the first hundred problems, and counts all', async () => {
  const folder = await writtenLog(tools)
  appendFileSync(current(folder), 'rubbish\n'.repeat(300))
  const { problems, problemCount } = verify(folder)
  expect([problems.length, problemCount]).toEqual([100, 300])
  appendFileSync(current(folder), 'no line feed '.repeat(200_000))
  expect(verify(folder)).toMatchObject({ problemCount: 300, tornBytes: 2_600_000 })
})

test('[LOG.9] removes and reports a torn last line, and continues the chain', async () => {
  const folder = await writtenLog(tools)
  appendFileSync(current(folder), linesOf(folder)[0]?.slice(0, 100) ?? '')
  expect(verify(folder)).toMatchObject({ intact: true, lastSeq: LINES, tornBytes: 100 })
  const added = await reopened(folder, call('next'))
  expect(added).toMatchObject([
    { event: 'log_recovered', bytes: 100, seq: LINES + 1 },
    { toolName: 'next', seq: LINES + 2 },
  ])
  expect(verify(folder)).toMatchObject({ intact: true, tornBytes: 0 })
})

test('[LOG.14] records a lost tail, and keeps its gap', async () => {
  const folder = await writtenLog(tools)
  writeFileSync(
    current(folder),
    linesOf(folder)
      .slice(0, 8)
      .map((line) => `${line}\n`)
      .join(''),
  )
  expect(verify(folder).problems).toMatchObject([{ kind: 'tail_missing' }])
  expect(await reopened(folder)).toMatchObject([{ event: 'log_tail_missing', lost: 4, seq: LINES + 1 }])
  await reopened(folder, call('later'))
  expect(verify(folder).problems).toMatchObject([{ kind: 'missing', line: 9 }])
  rmSync(current(folder))
  expect(recordsOf(await writtenLog([], { folder }))).toMatchObject([{ event: 'log_tail_missing', lost: 14 }])
})

test('[LOG.14] records lines that differ from the anchor, and keeps the break', async () => {
  const folder = await writtenLog(tools)
  writeFileSync(current(folder), forged(linesOf(folder)))
  expect(await reopened(folder)).toMatchObject([
    { event: 'log_unproven', reason: 'lines_differ', seq: LINES + 1 },
  ])
  await reopened(folder, call('later'))
  expect(verify(folder).problems).toMatchObject([{ kind: 'altered', line: LINES + 1 }])
})

test('[LOG.14] records a missing or foreign anchor and malformed lines, without stopping', async () => {
  const folder = await writtenLog(tools)
  rmSync(anchorOf(folder))
  expect(await reopened(folder)).toMatchObject([{ event: 'log_unproven', reason: 'anchor_missing' }])
  writeFileSync(anchorOf(folder), 'rubbish')
  expect(await reopened(folder)).toMatchObject([{ event: 'log_unproven', reason: 'anchor_unproven' }])
  expect(verify(folder)).toMatchObject({ intact: true, lines: LINES + 2 })
  appendFileSync(current(folder), `${'x'.repeat(200_000)}\n`)
  const before = linesOf(folder).length
  await writtenLog([call('later')], { folder })
  const added = linesOf(folder)
    .slice(before)
    .map((line) => JSON.parse(line))
  expect(added).toMatchObject([
    { event: 'log_unproven', reason: 'lines_unreadable' },
    { toolName: 'later', seq: LINES + 4 },
  ])
  expect(verify(folder).problems).toMatchObject([{ kind: 'not_a_line', line: LINES + 3 }])
  for (const rubbish of ['rubbish\n', 'rubbish']) {
    const bare = scratch()
    writeFileSync(current(bare), rubbish)
    await writtenLog([call('a')], { folder: bare })
    expect(JSON.parse(linesOf(bare).at(-1) ?? '')).toMatchObject({ toolName: 'a', seq: 2 })
  }
})

test('[LOG.14] continues the chain of a file rotated just before a crash', async () => {
  const folder = await writtenLog(tools)
  renameSync(current(folder), join(folder, 'security-1.log'))
  await writtenLog([call('next')], { folder })
  expect(recordsOf(folder)).toMatchObject([{ toolName: 'next', seq: LINES + 1 }])
  expect(verify(folder)).toMatchObject({ intact: true, files: 2 })
})

test('[LOG.14] refuses to open a log with unusable files', () => {
  expect(() => openTestLog({ folder: join(scratch(), 'none') })).toThrow('ENOENT')
  const folder = scratch()
  renameSync(scratch(), `${current(folder)}.head`)
  expect(() => openTestLog({ folder })).toThrow('EISDIR')
})
