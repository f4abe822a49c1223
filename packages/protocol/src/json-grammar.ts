import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  isDigit,
  isTextAt,
  LOWER_E,
  LOWER_U,
  MINUS,
  NOT_FOUND,
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
/** Bytes of a string that are checked one by one before a native search is tried, at first and after a near quote. */
const FIRST_BYTES = 64
const DENSE_BYTES = 1_024
/** From so many bytes without a quote on, words are checked instead of bytes. */
const SPARSE_BYTES = 256
const WORD_BYTES = 4

/** Characters allowed after a backslash, except `u`. */
const IS_ESCAPE = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number('"\\/bfnrt'.includes(String.fromCharCode(byte))),
)
const IS_HEX = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number(/[0-9a-fA-F]/.test(String.fromCharCode(byte))),
)
/** The literals, each at the place of its first byte. */
const LITERALS = Array.from({ length: 256 }, (_, byte) =>
  ['true', 'false', 'null'].find((word) => word.charCodeAt(0) === byte),
)

/**
 * Whether these bytes are one JSON value, nested no deeper than `limits.jsonDepth`: what `JSON.parse` says of their
 * text, without making a text or a value of them. The bytes must be UTF-8. Source: RFC 8259.
 */
export function isJson(json: Buffer): boolean {
  const end = pastValue(json, skipSpace(json, 0), 0)
  return end !== NOT_FOUND && skipSpace(json, end) === json.length
}

/**
 * @param depth of the containers around the value
 * @returns the byte after the value
 */
export function pastValue(json: Buffer, at: number, depth: number): number {
  switch (json[at]) {
    case QUOTE:
      return pastString(json, at)
    case OPEN_BRACE:
      return pastContainer(json, at, CLOSE_BRACE, depth + 1)
    case OPEN_BRACKET:
      return pastContainer(json, at, CLOSE_BRACKET, depth + 1)
    default:
      return pastScalar(json, at)
  }
}

/** @param close which bracket ends it: a member of what a brace ends has a key */
function pastContainer(json: Buffer, openAt: number, close: number, depth: number): number {
  if (depth > limits.jsonDepth) return NOT_FOUND
  let at = skipSpace(json, openAt + 1)
  if (json[at] === close) return at + 1
  for (;;) {
    const valueAt = close === CLOSE_BRACE ? pastKey(json, at) : at
    const end = valueAt === NOT_FOUND ? NOT_FOUND : pastValue(json, valueAt, depth)
    if (end === NOT_FOUND) return NOT_FOUND
    at = skipSpace(json, end)
    if (json[at] === close) return at + 1
    if (json[at] !== COMMA) return NOT_FOUND
    at = skipSpace(json, at + 1)
  }
}

/** @returns where the value begins */
function pastKey(json: Buffer, at: number): number {
  const end = json[at] === QUOTE ? pastString(json, at) : NOT_FOUND
  if (end === NOT_FOUND) return NOT_FOUND
  const colon = skipSpace(json, end)
  return json[colon] === COLON ? skipSpace(json, colon + 1) : NOT_FOUND
}

/**
 * Where quotes are dense, bytes are checked one by one. Where a native search finds the next quote far away, the text
 * before it is checked by words.
 *
 * @param openAt the opening quote
 * @returns the byte after the closing one
 */
export function pastString(json: Buffer, openAt: number): number {
  let at = pastDense(json, openAt + 1, FIRST_BYTES)
  while (at !== NOT_FOUND) {
    if (json[at] === QUOTE) return at + 1
    const quote = json.indexOf(QUOTE, at)
    if (quote === NOT_FOUND) return NOT_FOUND
    const isSparse = quote - at >= SPARSE_BYTES
    at = isSparse ? pastSparse(json, at, quote) : pastDense(json, at, DENSE_BYTES)
  }
  return NOT_FOUND
}

/** @returns the closing quote, or the first byte behind so many */
function pastDense(json: Buffer, start: number, maxBytes: number): number {
  // Literals, since the engine looks up each time what is imported.
  const quote = 0x22
  const backslash = 0x5c
  const space = 0x20
  const stop = Math.min(start + maxBytes, json.length)
  let at = start
  while (at < stop) {
    const byte = json[at] as number
    if (byte === quote) return at
    if (byte === backslash) {
      if (IS_ESCAPE[json[at + 1] as number] === 1) at += 2
      else return pastEscape(json, at)
    } else if (byte < space) return NOT_FOUND
    else at++
  }
  return at
}

/** @param quote the next quote, which may be escaped @returns the quote, or the byte behind it where it is escaped */
function pastSparse(json: Buffer, start: number, quote: number): number {
  const lead = (WORD_BYTES - (json.byteOffset % WORD_BYTES)) % WORD_BYTES
  const wordCount = Math.floor((json.length - lead) / WORD_BYTES)
  const words = new Int32Array(json.buffer, json.byteOffset + lead, wordCount)
  let at = start
  while (at < quote) {
    const byte = json[at] as number
    if (byte < SPACE) return NOT_FOUND
    at = byte === BACKSLASH ? pastEscape(json, at) : at + 1
    if (at === NOT_FOUND) return NOT_FOUND
    if (at < lead || (at - lead) % WORD_BYTES !== 0) continue
    let word = (at - lead) / WORD_BYTES
    while (word < wordCount && isPlainWord(words[word] as number)) word++
    at = lead + word * WORD_BYTES
  }
  return at
}

/**
 * Whether none of four bytes is a quote, a backslash or a control character. Flipping a bit makes a quote the least
 * byte that is no control character; then a byte that is less than another one borrows from its highest bit.
 * Source: Bit Twiddling Hacks, "Determine if a word has a byte less than n".
 */
function isPlainWord(word: number): boolean {
  const flipped = word ^ 0x02020202
  const backslashes = word ^ 0x5c5c5c5c
  const small = (flipped - 0x21212121) & ~flipped
  const zero = (backslashes - 0x01010101) & ~backslashes
  return ((small | zero) & 0x80808080) === 0
}

function pastEscape(json: Buffer, at: number): number {
  const letter = json[at + 1] ?? 0
  if (IS_ESCAPE[letter] === 1) return at + 2
  if (letter === LOWER_U) return areHex(json, at + 2) ? at + 2 + HEX_DIGITS : NOT_FOUND
  return NOT_FOUND
}

function areHex(json: Buffer, at: number): boolean {
  for (let i = at; i < at + HEX_DIGITS; i++) if (IS_HEX[json[i] ?? 0] !== 1) return false
  return true
}

/** Skips a number, `true`, `false` or `null`, without checking what follows. @returns the byte after it */
function pastScalar(json: Buffer, at: number): number {
  const word = LITERALS[json[at] ?? 0]
  if (word === undefined) return pastNumber(json, at)
  const end = at + word.length
  return isTextAt(json, at, end, word) ? end : NOT_FOUND
}

function pastNumber(json: Buffer, start: number): number {
  const whole = json[start] === MINUS ? start + 1 : start
  let at = json[whole] === ZERO ? whole + 1 : pastDigits(json, whole)
  if (at !== NOT_FOUND && json[at] === POINT) at = pastDigits(json, at + 1)
  if (at === NOT_FOUND || (json[at] !== LOWER_E && json[at] !== UPPER_E)) return at
  const sign = json[at + 1]
  return pastDigits(json, sign === PLUS || sign === MINUS ? at + 2 : at + 1)
}

/** At least one. */
function pastDigits(json: Buffer, start: number): number {
  let at = start
  while (isDigit(json[at] ?? 0)) at++
  return at === start ? NOT_FOUND : at
}
