import { expect, test } from 'vitest'
import { terminalWidth } from '../src/output.ts'
import { tableLines } from '../src/table.ts'

const ROWS = [
  ['ID', 'NAME', 'TEXT'],
  ['1', 'laptop', 'a long description that goes on and on'],
]

test('[CLI.31] aligns a table that fits, uncut', () => {
  const lines = ['ID  NAME    TEXT', '1   laptop  a long description that goes on and on']
  expect(tableLines(ROWS)).toEqual(lines)
  expect(tableLines(ROWS, 80)).toEqual(lines)
})

test('[CLI.31] cuts the widest column with an ellipsis', () => {
  expect(tableLines(ROWS, 30)).toEqual(['ID  NAME    TEXT', '1   laptop  a long descriptio…'])
})

test.each([1, 2, 5, 8, 12, 20, 40])('[CLI.31] keeps every line within a terminal of %i columns', (width) => {
  const wide = [['日本語のとても長い名前です', '🦊🦊🦊🦊🦊🦊🦊🦊', 'e\u0301'.repeat(30)]]
  const [line = ''] = tableLines(wide, width)
  const cells = [...new Intl.Segmenter('en').segment(line)].map(({ segment }) =>
    /[\p{Script=Han}\p{Script=Hiragana}\p{Emoji_Presentation}]/u.test(segment) ? 2 : 1,
  )
  // Three columns need one cell each, and the gaps between them.
  expect(cells.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(Math.max(width, 7))
})

test('[CLI.31] cuts no character in two', () => {
  expect(tableLines([['🦊🦊🦊🦊🦊🦊']], 8)).toEqual(['🦊🦊🦊…'])
  expect(tableLines([['e\u0301'.repeat(10)]], 8)).toEqual([`${'e\u0301'.repeat(7)}…`])
})

test('[CLI.31] takes the width from COLUMNS before the terminal, and none in a pipe', () => {
  const terminal = { isTTY: true, columns: 80 }
  expect(terminalWidth(terminal, undefined)).toBe(80)
  expect(terminalWidth(terminal, '40')).toBe(40)
  expect(terminalWidth({}, '40')).toBeUndefined()
  expect(terminalWidth({ isTTY: true, columns: 0 }, undefined)).toBeUndefined()
  for (const odd of ['', '0', '-1', 'wide', '1e3', '999999']) expect(terminalWidth(terminal, odd)).toBe(80)
})
