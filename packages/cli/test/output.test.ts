import { expect, test } from 'vitest'
import { resultText } from '../src/commands/call.ts'
import { failureText, forTerminal, jsonText } from '../src/output.ts'

/** Each begins or hides something on a terminal: ESC, CSI and OSC, bidi, invisible, line separators. */
const HOSTILE = [
  ...[
    '\u001b[2J',
    '\u001b]0;title\u0007',
    '\u009b31m',
    '\u009d0;title\u009c',
    '\b',
    '\r',
    '\u007f',
    '\u0085',
  ],
  ...['\u202e', '\u2066', '\u200f', '\u061c', '\u200b', '\ufeff', '\u2028', '\u2029', '\u{e0041}', '\ud800'],
]
const FORBIDDEN = /[^\P{C}\t\n]|[\u2028\u2029]/u

test.each(HOSTILE)(
  '[CLI.10] removes control, format and bidi characters from text for a terminal: case %#',
  (text) => {
    expect(forTerminal(`a${text}b`)).not.toMatch(FORBIDDEN)
    expect(forTerminal(`a${text}b`)).toMatch(/^a.*b$/)
  },
)

test('[CLI.10] keeps line feeds, tabs and letters of any script', () => {
  expect(forTerminal('año\t🦊\nعربي')).toBe('año\t🦊\nعربي')
})

test.each(HOSTILE)('[CLI.10] keeps the meaning of JSON without any of them: case %#', (text) => {
  const value = { [`key${text}`]: `a${text}b` }
  const line = jsonText(value)
  expect(line).not.toMatch(FORBIDDEN)
  expect(JSON.parse(line)).toEqual(value)
})

test('[CLI.10] removes them from code, message and next step of a failure', () => {
  const hostile = HOSTILE.join('')
  expect(failureText({ code: hostile, message: hostile, next: hostile })).not.toMatch(FORBIDDEN)
})

test('[CLI.10] removes them from a result’s text and structured content', () => {
  const text = HOSTILE.join('')
  const structuredContent = { [text]: text }
  expect(resultText({ content: [{ type: 'text', text }] })).not.toMatch(FORBIDDEN)
  expect(resultText({ content: [], structuredContent })).not.toMatch(FORBIDDEN)
})
