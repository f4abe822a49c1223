import { expect, test } from 'vitest'
import { HeldBytes } from '../../src/held-bytes.ts'
import { LineSplitter, type LongLine } from '../../src/servers/lines.ts'

const MAX = 8
const MIB = 1_048_576

function setUp() {
  const splitter = new LineSplitter(MAX)
  return (text: string) => splitter.push(Buffer.from(text)).map(String)
}

test('[STDIO.2] splits lines at newlines, wherever the chunks end', () => {
  const push = setUp()
  expect(push('a\nbc\n')).toEqual(['a', 'bc'])
  expect(push('d')).toEqual([])
  expect(push('e')).toEqual([])
  expect(push('f\n\ng')).toEqual(['def', ''])
  expect(push('\n')).toEqual(['g'])
  expect(push('')).toEqual([])
})

test('[STDIO.4] returns a line of the longest length whole, in one piece or many, and skips a longer one', () => {
  const long = 'x'.repeat(MAX)
  expect(setUp()(`${long}\n`)).toEqual([long])
  expect(setUp()(`a\n${long}x\nb\n`)).toEqual(['a', 'b'])
  const push = setUp()
  expect(push(long)).toEqual([])
  expect(push('\n')).toEqual([long])
  expect(push(long)).toEqual([])
  expect(push('x')).toEqual([])
  expect(push(long)).toEqual([])
  expect(push('\nnext\n')).toEqual(['next'])
  expect(push('xxxx')).toEqual([])
  expect(push('xxxxx\nagain\n')).toEqual(['again'])
})

test('[STDIO.4] keeps both ends of a skipped line, in one piece or many', () => {
  const line = Buffer.from(`{"id":1,${'x'.repeat(20_000)},"end":2}`)
  for (const chunkBytes of [1, 7, 600, 5_000, line.length]) {
    const skipped: LongLine[] = []
    const splitter = new LineSplitter(10_000, (long) => skipped.push(long))
    for (let at = 0; at < line.length; at += chunkBytes) splitter.push(line.subarray(at, at + chunkBytes))
    expect(skipped).toEqual([])
    expect(splitter.push(Buffer.from('\nb\n')).map(String)).toEqual(['b'])
    const [{ head, tail, bytes } = { head: '', tail: '', bytes: 0 }] = skipped
    expect(String(head)).toBe(String(line.subarray(0, 4_096)))
    expect(String(tail)).toBe(String(line.subarray(-512)))
    expect(bytes).toBe(line.length)
  }
})

test('[STDIO.4] does not count complete lines towards the length of the next', () => {
  const push = setUp()
  for (let time = 0; time < 5; time++) {
    expect(push('1234\n5678')).toEqual([time === 0 ? '1234' : '56781234'])
  }
})

test('[BIG.6] takes memory for long lines from the common budget, and returns it', () => {
  const held = new HeldBytes(3 * MIB)
  const skipped: LongLine[] = []
  const splitter = () => new LineSplitter(10 * MIB, (long) => skipped.push(long), held)
  const [one, other] = [splitter(), splitter()]
  const push = (to: LineSplitter, bytes: number) => to.push(Buffer.alloc(bytes, 'x'))
  push(one, MIB)
  expect(held.bytes).toBe(0)
  push(one, 2 * MIB)
  expect(held.bytes).toBe(2 * MIB)
  push(other, 3 * MIB)
  expect(held.bytes).toBe(2 * MIB)
  expect(other.push(Buffer.from('\nnext\n')).map(String)).toEqual(['next'])
  expect(skipped).toMatchObject([{ bytes: 3 * MIB, isTooLong: false }])
  expect(one.push(Buffer.from('\n'))[0]?.length).toBe(3 * MIB)
  expect(held.bytes).toBe(0)
  push(one, 3 * MIB)
  one.end()
  expect(held.bytes).toBe(0)
})

test('[STDIO.2] joins a long line of many small chunks', () => {
  const line = Buffer.from(Array.from({ length: 10_000 }, (_, at) => `${at},`).join(''))
  const splitter = new LineSplitter(line.length)
  for (let at = 0; at < line.length; at += 3) expect(splitter.push(line.subarray(at, at + 3))).toEqual([])
  expect(splitter.push(Buffer.from('\n'))).toEqual([line])
})

test('[STDIO.2] returns the unfinished line, however many chunks it came in, until it is ended', () => {
  const splitter = new LineSplitter(10_000)
  expect(splitter.unfinished).toBeUndefined()
  for (const count of [1, 1_024, 1_025, 2_500]) {
    const text = Array.from({ length: count }, (_, at) => String(at % 10)).join('')
    for (const character of text) splitter.push(Buffer.from(character))
    expect(String(splitter.unfinished)).toBe(text)
    expect(String(splitter.unfinished)).toBe(text)
    expect(splitter.push(Buffer.from('\n')).map(String)).toEqual([text])
    expect(splitter.unfinished).toBeUndefined()
  }
  splitter.push(Buffer.from('rest'))
  splitter.end()
  expect([splitter.unfinished, splitter.push(Buffer.from('a\n')).map(String)]).toEqual([undefined, ['a']])
})

test('[STDIO.4] returns no unfinished line that is too long, and says why a line was not kept', () => {
  const long: boolean[] = []
  const held = new HeldBytes(MIB)
  const splitter = new LineSplitter(4 * MIB, ({ isTooLong }) => long.push(isTooLong), held)
  for (const sizeBytes of [3 * MIB + 1, 4 * MIB + 1]) {
    splitter.push(Buffer.alloc(sizeBytes, 'x'))
    expect([splitter.unfinished, held.bytes]).toEqual([undefined, 0])
    splitter.push(Buffer.from('x\n'))
  }
  expect(long).toEqual([false, true])
})

test('[STDIO.2] returns a long line whole also without a budget', () => {
  const splitter = new LineSplitter(4 * MIB)
  for (let part = 0; part < 3; part++) splitter.push(Buffer.alloc(MIB, 'x'))
  expect(splitter.push(Buffer.from('\n'))[0]?.length).toBe(3 * MIB)
})
