import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  isDigit,
  LOWER_E,
  LOWER_U,
  MINUS,
  OPEN_BRACE,
  OPEN_BRACKET,
  PLUS,
  POINT,
  QUOTE,
  SPACE,
  skipSpace,
  UPPER_E,
  ZERO,
} from './json-bytes.ts'
import { limits } from './limits.ts'

const HEX_DIGITS = 4

const BAD = -1

/** What may stand after a backslash, but for `u`. */
const IS_ESCAPE = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number('"\\/bfnrt'.includes(String.fromCharCode(byte))),
)
const IS_HEX = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number(/[0-9a-fA-F]/.test(String.fromCharCode(byte))),
)
const LITERALS: ReadonlyMap<number, readonly number[]> = new Map(
  ['true', 'false', 'null'].map((word) => [word.charCodeAt(0), [...Buffer.from(word)]]),
)

/**
 * Whether these bytes are one JSON value, nested no deeper than `limits.jsonDepth`: what `JSON.parse` says of their
 * text, without making a text or a value of them. The bytes must be UTF-8. Source: RFC 8259.
 */
export function isJson(json: Buffer): boolean {
  const end = pastValue(json, skipSpace(json, 0), 0)
  return end !== BAD && skipSpace(json, end) === json.length
}

/** @returns the byte after the value */
function pastValue(json: Buffer, at: number, depth: number): number {
  switch (json[at]) {
    case QUOTE:
      return pastString(json, at)
    case OPEN_BRACE:
      return depth < limits.jsonDepth ? pastObject(json, at, depth + 1) : BAD
    case OPEN_BRACKET:
      return depth < limits.jsonDepth ? pastArray(json, at, depth + 1) : BAD
    default:
      return pastScalar(json, at)
  }
}

function pastObject(json: Buffer, openAt: number, depth: number): number {
  let at = skipSpace(json, openAt + 1)
  if (json[at] === CLOSE_BRACE) return at + 1
  for (;;) {
    const keyEnd = json[at] === QUOTE ? pastString(json, at) : BAD
    if (keyEnd === BAD) return BAD
    const colon = skipSpace(json, keyEnd)
    if (json[colon] !== COLON) return BAD
    const end = pastValue(json, skipSpace(json, colon + 1), depth)
    if (end === BAD) return BAD
    at = skipSpace(json, end)
    if (json[at] === CLOSE_BRACE) return at + 1
    if (json[at] !== COMMA) return BAD
    at = skipSpace(json, at + 1)
  }
}

function pastArray(json: Buffer, openAt: number, depth: number): number {
  let at = skipSpace(json, openAt + 1)
  if (json[at] === CLOSE_BRACKET) return at + 1
  for (;;) {
    const end = pastValue(json, at, depth)
    if (end === BAD) return BAD
    at = skipSpace(json, end)
    if (json[at] === CLOSE_BRACKET) return at + 1
    if (json[at] !== COMMA) return BAD
    at = skipSpace(json, at + 1)
  }
}

function pastString(json: Buffer, openAt: number): number {
  let at = openAt + 1
  while (at !== BAD) {
    // Beyond the last byte is 0, which no string holds.
    const byte = json[at] ?? 0
    if (byte === QUOTE) return at + 1
    if (byte < SPACE) return BAD
    at = byte === BACKSLASH ? pastEscape(json, at) : at + 1
  }
  return BAD
}

function pastEscape(json: Buffer, at: number): number {
  const letter = json[at + 1] ?? 0
  if (letter === LOWER_U) return areHex(json, at + 2) ? at + 2 + HEX_DIGITS : BAD
  return IS_ESCAPE[letter] === 1 ? at + 2 : BAD
}

function areHex(json: Buffer, at: number): boolean {
  for (let i = at; i < at + HEX_DIGITS; i++) if (IS_HEX[json[i] ?? 0] !== 1) return false
  return true
}

function pastScalar(json: Buffer, at: number): number {
  const word = LITERALS.get(json[at] ?? 0)
  if (word === undefined) return pastNumber(json, at)
  return word.every((byte, i) => json[at + i] === byte) ? at + word.length : BAD
}

function pastNumber(json: Buffer, start: number): number {
  const whole = json[start] === MINUS ? start + 1 : start
  let at = json[whole] === ZERO ? whole + 1 : pastDigits(json, whole)
  if (at !== BAD && json[at] === POINT) at = pastDigits(json, at + 1)
  if (at === BAD || (json[at] !== LOWER_E && json[at] !== UPPER_E)) return at
  const sign = json[at + 1]
  return pastDigits(json, sign === PLUS || sign === MINUS ? at + 2 : at + 1)
}

/** At least one. */
function pastDigits(json: Buffer, start: number): number {
  let at = start
  while (isDigit(json[at] ?? 0)) at++
  return at === start ? BAD : at
}
