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
  '[CLI.10] text for a terminal has no control, format or bidi characters: case %#',
  (text) => {
    expect(forTerminal(`a${text}b`)).not.toMatch(FORBIDDEN)
    expect(forTerminal(`a${text}b`)).toMatch(/^a.*b$/)
  },
)

test('[CLI.10] line feeds, tabs and letters of any script stay', () => {
  expect(forTerminal('año\t🦊\nعربي')).toBe('año\t🦊\nعربي')
})

test.each(HOSTILE)('[CLI.10] JSON says the same without any of them: case %#', (text) => {
  const value = { [`key${text}`]: `a${text}b` }
  const line = jsonText(value)
  expect(line).not.toMatch(FORBIDDEN)
  expect(JSON.parse(line)).toEqual(value)
})

test('[CLI.10] neither code, message nor next step of a failure carries them', () => {
  const hostile = HOSTILE.join('')
  expect(failureText({ code: hostile, message: hostile, next: hostile })).not.toMatch(FORBIDDEN)
})

test('[CLI.10] neither the text of a result nor its structured content carries them', () => {
  const text = HOSTILE.join('')
  const structuredContent = { [text]: text }
  expect(resultText({ content: [{ type: 'text', text }] })).not.toMatch(FORBIDDEN)
  expect(resultText({ content: [], structuredContent })).not.toMatch(FORBIDDEN)
})
