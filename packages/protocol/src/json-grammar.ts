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

const HEX_DIGITS = 4
/** Bytes of a string to check one by one before a native search, at first and after a near quote. */
const FIRST_BYTES = 64
const DENSE_BYTES = 1_024
/** Distance of the next quote from which words are checked instead of bytes. */
const SPARSE_BYTES = 256
const WORD_BYTES = 4

/** Characters allowed after a backslash, except `u`. */
const IS_ESCAPE = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number('"\\/bfnrt'.includes(String.fromCharCode(byte))),
)
const IS_HEX = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number(/[0-9a-fA-F]/.test(String.fromCharCode(byte))),
)
/** The literals, indexed by their first byte. */
const LITERALS = Array.from({ length: 256 }, (_, byte) =>
  ['true', 'false', 'null'].find((word) => word.charCodeAt(0) === byte),
)

/**
 * Walks one child of a container, and decides how.
 * @param start first byte of the value
 * @param keyStart first byte of its key, inside the quotes; has no meaning in an array
 * @param keyEnd the closing quote of the key; has no meaning in an array
 * @returns the byte after the value; `NOT_FOUND` ends the walk
 */
export type WalkChild = (start: number, keyStart: number, keyEnd: number) => number

/**
 * Whether these bytes are one JSON value. Accepts the same texts as `JSON.parse`, without creating a text or a
 * value. The bytes must be UTF-8. Source: RFC 8259.
 * @param maxLevels limit of nesting, for a text that will be parsed
 */
export function isJson(json: Buffer, maxLevels = Number.POSITIVE_INFINITY): boolean {
  const end = pastValue(json, skipSpace(json, 0), maxLevels)
  return end !== NOT_FOUND && skipSpace(json, end) === json.length
}

/** Walks one value and checks its grammar. @returns the byte after the value; `NOT_FOUND` if it is not JSON */
export function pastValue(json: Buffer, at: number, maxLevels = Number.POSITIVE_INFINITY): number {
  const byte = json[at]
  return byte === OPEN_BRACE || byte === OPEN_BRACKET ? pastNested(json, at, maxLevels) : pastPlain(json, at)
}

/** Walks an object. @returns the byte after it, as `pastValue` does; `NOT_FOUND` if none opens here */
export function pastObject(json: Buffer, at: number, walkChild: WalkChild): number {
  return json[at] === OPEN_BRACE ? pastChildren(json, at, CLOSE_BRACE, walkChild) : NOT_FOUND
}

/** Walks an array. @returns the byte after it, as `pastValue` does; `NOT_FOUND` if none opens here */
export function pastArray(json: Buffer, at: number, walkChild: WalkChild): number {
  return json[at] === OPEN_BRACKET ? pastChildren(json, at, CLOSE_BRACKET, walkChild) : NOT_FOUND
}

/** @param close the bracket that ends the container: children before a brace have keys */
function pastChildren(json: Buffer, openAt: number, close: number, walkChild: WalkChild): number {
  let at = skipSpace(json, openAt + 1)
  if (json[at] === close) return at + 1
  for (;;) {
    const keyEnd = close === CLOSE_BRACE ? pastKey(json, at) : at
    const start = close === CLOSE_BRACE ? pastColon(json, keyEnd) : at
    if (start === NOT_FOUND) return NOT_FOUND
    const end = walkChild(start, at + 1, keyEnd - 1)
    if (end === NOT_FOUND) return NOT_FOUND
    at = skipSpace(json, end)
    if (json[at] === close) return at + 1
    if (json[at] !== COMMA) return NOT_FOUND
    at = skipSpace(json, at + 1)
  }
}

/** Levels that one number remembers. */
const LEVELS_PER_NUMBER = 30

/** Kinds of the containers that are open: one bit each, 1 for an object. */
class OpenContainers {
  /** Kinds of the innermost levels. */
  #kinds = 0
  #levels = 0
  readonly #outer: number[] = []

  get isEmpty(): boolean {
    return this.#levels === 0
  }

  get levels(): number {
    return this.#outer.length * LEVELS_PER_NUMBER + this.#levels
  }

  /** Whether the innermost one is an object. */
  get isObject(): boolean {
    return (this.#kinds & 1) === 1
  }

  push(isObject: boolean): void {
    if (this.#levels === LEVELS_PER_NUMBER) {
      this.#outer.push(this.#kinds)
      this.#levels = 0
    }
    this.#kinds = (this.#kinds << 1) | Number(isObject)
    this.#levels++
  }

  pop(): void {
    this.#kinds >>>= 1
    this.#levels--
    const outer = this.#levels === 0 ? this.#outer.pop() : undefined
    if (outer === undefined) return
    this.#kinds = outer
    this.#levels = LEVELS_PER_NUMBER
  }
}

/** Walks a container without recursion: its nesting uses one bit a level, and not the stack. */
function pastNested(json: Buffer, openAt: number, maxLevels: number): number {
  const open = new OpenContainers()
  let at = openAt
  while (at !== NOT_FOUND) {
    const isObject = json[at] === OPEN_BRACE
    if (isObject || json[at] === OPEN_BRACKET) {
      const first = skipSpace(json, at + 1)
      open.push(isObject)
      if (open.levels > maxLevels) return NOT_FOUND
      at = json[first] === closeOf(isObject) ? pastClosing(json, first, open) : valueAt(json, first, isObject)
    } else {
      at = pastPlain(json, at)
      if (at !== NOT_FOUND) at = pastClosing(json, skipSpace(json, at), open)
    }
    if (open.isEmpty) return at
  }
  return NOT_FOUND
}

/**
 * Closes all containers that end here.
 * @returns the next value of the container that goes on; the byte after the last container if none is open
 */
function pastClosing(json: Buffer, start: number, open: OpenContainers): number {
  let at = start
  while (json[at] === closeOf(open.isObject)) {
    open.pop()
    if (open.isEmpty) return at + 1
    at = skipSpace(json, at + 1)
  }
  return json[at] === COMMA ? valueAt(json, skipSpace(json, at + 1), open.isObject) : NOT_FOUND
}

function closeOf(isObject: boolean): number {
  return isObject ? CLOSE_BRACE : CLOSE_BRACKET
}

/** Skips the key of a child of an object. @returns where the value begins */
function valueAt(json: Buffer, at: number, isInObject: boolean): number {
  return isInObject ? pastColon(json, pastKey(json, at)) : at
}

/** @returns the byte after the key's closing quote */
function pastKey(json: Buffer, at: number): number {
  return json[at] === QUOTE ? pastString(json, at) : NOT_FOUND
}

/** @returns where the value begins */
function pastColon(json: Buffer, keyEnd: number): number {
  if (keyEnd === NOT_FOUND) return NOT_FOUND
  const colon = skipSpace(json, keyEnd)
  return json[colon] === COLON ? skipSpace(json, colon + 1) : NOT_FOUND
}

/**
 * Finds the end of a string. Checks dense text byte by byte; before a distant quote, checks whole words.
 *
 * @param openAt the opening quote
 * @returns the byte after the closing one
 */
function pastString(json: Buffer, openAt: number): number {
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

/** @returns the closing quote, or the first byte after `maxBytes` */
function pastDense(json: Buffer, start: number, maxBytes: number): number {
  // Literals, since the engine resolves an imported constant at each use.
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

/**
 * @param quote the next quote, which may be escaped @returns the quote, or the byte after it if it is escaped
 */
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
 * Whether none of four bytes is a quote, a backslash or a control character. Flipping a bit turns a quote
 * into the least byte that is not a control character; a smaller byte then borrows from its highest bit.
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

/** Skips a value without children, and does not check what follows. @returns the byte after it */
function pastPlain(json: Buffer, at: number): number {
  if (json[at] === QUOTE) return pastString(json, at)
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

/** Skips at least one digit. */
function pastDigits(json: Buffer, start: number): number {
  let at = start
  while (isDigit(json[at] ?? 0)) at++
  return at === start ? NOT_FOUND : at
}
