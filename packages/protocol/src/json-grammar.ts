import { limits } from './limits.ts'

const TAB = 0x09
const LINE_FEED = 0x0a
const RETURN = 0x0d
const SPACE = 0x20
const QUOTE = 0x22
const PLUS = 0x2b
const COMMA = 0x2c
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const LETTER_U = 0x75
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
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
  const end = skipValue(json, skipSpace(json, 0), 0)
  return end !== BAD && skipSpace(json, end) === json.length
}

/** @returns the byte after the value */
function skipValue(json: Buffer, at: number, depth: number): number {
  switch (json[at]) {
    case QUOTE:
      return skipString(json, at)
    case OPEN_BRACE:
      return depth < limits.jsonDepth ? skipObject(json, at, depth + 1) : BAD
    case OPEN_BRACKET:
      return depth < limits.jsonDepth ? skipArray(json, at, depth + 1) : BAD
    default:
      return skipScalar(json, at)
  }
}

function skipObject(json: Buffer, openAt: number, depth: number): number {
  let at = skipSpace(json, openAt + 1)
  if (json[at] === CLOSE_BRACE) return at + 1
  for (;;) {
    if (json[at] !== QUOTE) return BAD
    const colon = skipSpace(json, skipString(json, at))
    if (json[colon] !== COLON) return BAD
    const end = skipValue(json, skipSpace(json, colon + 1), depth)
    if (end === BAD) return BAD
    at = skipSpace(json, end)
    if (json[at] === CLOSE_BRACE) return at + 1
    if (json[at] !== COMMA) return BAD
    at = skipSpace(json, at + 1)
  }
}

function skipArray(json: Buffer, openAt: number, depth: number): number {
  let at = skipSpace(json, openAt + 1)
  if (json[at] === CLOSE_BRACKET) return at + 1
  for (;;) {
    const end = skipValue(json, at, depth)
    if (end === BAD) return BAD
    at = skipSpace(json, end)
    if (json[at] === CLOSE_BRACKET) return at + 1
    if (json[at] !== COMMA) return BAD
    at = skipSpace(json, at + 1)
  }
}

function skipString(json: Buffer, openAt: number): number {
  let at = openAt + 1
  while (at !== BAD) {
    // Beyond the last byte is 0, which no string holds.
    const byte = json[at] ?? 0
    if (byte === QUOTE) return at + 1
    if (byte < SPACE) return BAD
    at = byte === BACKSLASH ? skipEscape(json, at) : at + 1
  }
  return BAD
}

function skipEscape(json: Buffer, at: number): number {
  const letter = json[at + 1] ?? 0
  if (letter === LETTER_U) return areHex(json, at + 2) ? at + 2 + HEX_DIGITS : BAD
  return IS_ESCAPE[letter] === 1 ? at + 2 : BAD
}

function areHex(json: Buffer, at: number): boolean {
  for (let i = at; i < at + HEX_DIGITS; i++) if (IS_HEX[json[i] ?? 0] !== 1) return false
  return true
}

function skipScalar(json: Buffer, at: number): number {
  const word = LITERALS.get(json[at] ?? 0)
  if (word === undefined) return skipNumber(json, at)
  return word.every((byte, i) => json[at + i] === byte) ? at + word.length : BAD
}

function skipNumber(json: Buffer, start: number): number {
  const whole = json[start] === MINUS ? start + 1 : start
  let at = json[whole] === ZERO ? whole + 1 : skipDigits(json, whole)
  if (at !== BAD && json[at] === POINT) at = skipDigits(json, at + 1)
  if (at === BAD || ((json[at] ?? 0) | 0x20) !== 0x65) return at
  const sign = json[at + 1]
  return skipDigits(json, sign === PLUS || sign === MINUS ? at + 2 : at + 1)
}

/** At least one. */
function skipDigits(json: Buffer, start: number): number {
  let at = start
  while ((json[at] ?? 0) >= ZERO && (json[at] ?? 0) <= NINE) at++
  return at === start ? BAD : at
}

function skipSpace(json: Buffer, start: number): number {
  let at = start
  while (json[at] === SPACE || json[at] === LINE_FEED || json[at] === RETURN || json[at] === TAB) at++
  return at
}
