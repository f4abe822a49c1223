import { expect, test } from 'vitest'
import { LineSplitter } from '../../src/servers/lines.ts'

const MAX = 8

function setUp() {
  const splitter = new LineSplitter(MAX)
  return (text: string) => splitter.push(Buffer.from(text))?.map(String)
}

test('[STDIO.2] lines are cut at newlines, wherever the chunks end', () => {
  const push = setUp()
  expect(push('a\nbc\n')).toEqual(['a', 'bc'])
  expect(push('d')).toEqual([])
  expect(push('e')).toEqual([])
  expect(push('f\n\ng')).toEqual(['def', ''])
  expect(push('\n')).toEqual(['g'])
  expect(push('')).toEqual([])
})

test('[STDIO.4] a line of the longest length is whole, in one piece or in many, and one byte more is dropped', () => {
  const long = 'x'.repeat(MAX)
  expect(setUp()(`${long}\n`)).toEqual([long])
  expect(setUp()(`${long}x\n`)).toBeUndefined()
  expect(setUp()(`${long}x`)).toBeUndefined()
  const push = setUp()
  expect(push(long)).toEqual([])
  expect(push('\n')).toEqual([long])
  expect(push(long)).toEqual([])
  expect(push('x')).toBeUndefined()
  expect(push('next\n')).toEqual(['next'])
  const again = setUp()
  expect(again('xxxx')).toEqual([])
  expect(again('xxxxx\n')).toBeUndefined()
})

test('[STDIO.4] lines that are complete do not count towards the length of the next', () => {
  const push = setUp()
  for (let time = 0; time < 5; time++) {
    expect(push('1234\n5678')).toEqual([time === 0 ? '1234' : '56781234'])
  }
})
