import { isPlain, parseJson } from './json.ts'
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  isTextAt,
  NOT_FOUND,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  skipSpace,
  UNDERSCORE,
} from './json-bytes.ts'
import { pastScalar } from './json-grammar.ts'
import { limits } from './limits.ts'

/** Where a JSON value lies in its buffer: first byte, and the byte after its last. */
export type Span = readonly [start: number, end: number]

/** Keys that reach an object's prototype where a careless program merges objects. */
const PROTOTYPE_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])
/** Of them, the one that no honest payload has. */
const PROTO = Buffer.from('"__proto__"')

/** Bytes of a string that are looked at one by one before a native search is tried. */
const BYTEWISE_BYTES = 64

/** The brackets that are open, innermost last; scratch space of one scan, which nothing interrupts. */
const closers = new Uint8Array(limits.jsonDepth)

/**
 * Finds the members of the outermost object without parsing what is inside them, so that a payload
 * can be forwarded as the bytes it came in.
 *
 * Checked: one object and nothing after it, every string and bracket closed, nesting within
 * `limits.jsonDepth`, keys within `limits.jsonKeys`, none of them `__proto__`, scalars of the outermost
 * level well-formed. Not checked: the grammar inside nested values; whoever reads a payload parses it.
 *
 * @returns `undefined` when the bytes are not such an object, or when a key occurs twice or is
 * written with escapes (two parsers could then disagree about what it says).
 */
export function objectMembers(json: Buffer): ReadonlyMap<string, Span> | undefined {
  const members = new Map<string, Span>()
  const isObject = eachMember(json, [0, json.length], (keyStart, keyEnd, start, end) => {
    const key = plainKey(json, keyStart, keyEnd)
    if (key === undefined || members.has(key)) return false
    members.set(key, [start, end])
    return true
  })
  return isObject ? members : undefined
}

/**
 * The same for an object that has no other members than these, of which a call has many: no text and no map is
 * made.
 * @param object where it lies, when it is not all there is: a span that was found before, whatever follows it
 * @returns their places in the order of the names, `undefined` for each that is not there; `undefined`
 * instead of all of them also where there is any other
 */
export function namedMembers(
  json: Buffer,
  names: readonly string[],
  object: Span = [0, json.length],
): readonly (Span | undefined)[] | undefined {
  const spans: (Span | undefined)[] = names.map(() => undefined)
  const isObject = eachMember(json, object, (keyStart, keyEnd, start, end) => {
    const place = placeOf(names, json, keyStart, keyEnd)
    if (place === NOT_FOUND || spans[place] !== undefined) return false
    spans[place] = [start, end]
    return true
  })
  return isObject ? spans : undefined
}

/** @param take gets each member's key, without its quotes, and value; false ends it @returns whether it was an object */
function eachMember(
  json: Buffer,
  [objectStart, objectEnd]: Span,
  take: (keyStart: number, keyEnd: number, start: number, end: number) => boolean,
): boolean {
  let at = skipSpace(json, objectStart)
  if (json[at] !== OPEN_BRACE) return false
  at = skipSpace(json, at + 1)
  if (json[at] === CLOSE_BRACE) return endsAt(json, at + 1, objectEnd)

  for (let count = 0; count < limits.frameMembers; count++) {
    if (json[at] !== QUOTE) return false
    const keyStart = at + 1
    const keyEnd = skipString(json, at)
    if (keyEnd === NOT_FOUND) return false

    at = skipSpace(json, keyEnd)
    if (json[at] !== COLON) return false
    const start = skipSpace(json, at + 1)
    const end = skipValue(json, start)
    if (end === NOT_FOUND || !take(keyStart, keyEnd - 1, start, end)) return false

    at = skipSpace(json, end)
    if (json[at] === CLOSE_BRACE) return endsAt(json, at + 1, objectEnd)
    if (json[at] !== COMMA) return false
    at = skipSpace(json, at + 1)
  }
  return false
}

/**
 * Whether a text keeps the bounds of `objectMembers` on nesting, members and keys, whatever JSON it
 * is; for texts that are parsed as a whole. Says nothing of the grammar.
 */
export function isBoundedJson(json: Buffer): boolean {
  const end = skipValue(json, skipSpace(json, 0))
  return end !== NOT_FOUND && endsAt(json, end, json.length)
}

/** Whether there is a span whose bytes are exactly this ASCII text. */
export function spanIs(json: Buffer, span: Span | undefined, text: string): boolean {
  return span !== undefined && isTextAt(json, span[0], span[1], text)
}

/** The bytes of a span; `undefined` where there is none. */
export function bytesAt(json: Buffer, span: Span | undefined): Buffer | undefined {
  return span === undefined ? undefined : json.subarray(span[0], span[1])
}

/** The text of a string; `undefined` where there is none, or something else. */
export function stringAt(json: Buffer, span: Span | undefined): string | undefined {
  if (span === undefined || json[span[0]] !== QUOTE) return undefined
  // One character for each byte: quicker, and the same where all are plain.
  const inside = json.toString('latin1', span[0] + 1, span[1] - 1)
  if (isPlain(inside)) return inside
  const value = parseJson(json.toString('utf8', span[0], span[1]))?.value
  return typeof value === 'string' ? value : undefined
}

/** Which of the texts these bytes are. */
function placeOf(texts: readonly string[], json: Buffer, start: number, end: number): number {
  for (let place = 0; place < texts.length; place++)
    if (isTextAt(json, start, end, texts[place] as string)) return place
  return NOT_FOUND
}

/** `undefined` for one that is written with escapes, or reaches a prototype. */
function plainKey(json: Buffer, start: number, end: number): string | undefined {
  const key = json.toString('utf8', start, end)
  return key.includes('\\') || PROTOTYPE_KEYS.has(key) ? undefined : key
}

/** Whether nothing but white space is left until there. */
function endsAt(json: Buffer, at: number, end: number): boolean {
  return at <= end && skipSpace(json, at) >= end
}

function skipValue(json: Buffer, at: number): number {
  const first = json[at]
  if (first === QUOTE) return skipString(json, at)
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return skipContainer(json, at)
  return pastScalar(json, at)
}

/**
 * The native search is fast where quotes are rare. Where one is escaped more will follow, so the next
 * bytes are looked at one by one, which is cheaper than to start a search for each. No byte is searched
 * twice.
 *
 * @param at the opening quote @returns the byte after the closing one
 */
function skipString(json: Buffer, at: number): number {
  let i = at + 1
  while (i < json.length) {
    const stop = Math.min(i + BYTEWISE_BYTES, json.length)
    while (i < stop) {
      const byte = json[i]
      if (byte === QUOTE) return i + 1
      i += byte === BACKSLASH ? 2 : 1
    }
    const quote = json.indexOf(QUOTE, i)
    if (quote === NOT_FOUND) return NOT_FOUND
    if (!isEscaped(json, quote)) return quote + 1
    i = quote + 1
  }
  return NOT_FOUND
}

function isEscaped(json: Buffer, at: number): boolean {
  let before = at - 1
  while (json[before] === BACKSLASH) before--
  return (at - before) % 2 === 0
}

function skipContainer(json: Buffer, at: number): number {
  let depth = 0
  let keys = 0
  let lastString = 0
  let i = at
  while (i < json.length) {
    const byte = json[i]
    if (byte === QUOTE) {
      lastString = i
      i = skipString(json, i)
      if (i === NOT_FOUND) return NOT_FOUND
      continue
    }
    i++
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (depth === limits.jsonDepth) return NOT_FOUND
      closers[depth++] = byte === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (closers[--depth] !== byte) return NOT_FOUND
      if (depth === 0) return i
    } else if (byte === COLON && (++keys > limits.jsonKeys || isProtoKey(json, lastString))) return NOT_FOUND
  }
  return NOT_FOUND
}

/** @param at where the key begins; written with escapes it is decoded first */
function isProtoKey(json: Buffer, at: number): boolean {
  if (json[at + 1] !== UNDERSCORE && json[at + 1] !== BACKSLASH) return false
  const end = skipString(json, at)
  const key = json.subarray(at, end)
  if (!key.includes(BACKSLASH)) return key.equals(PROTO)
  return parseJson(key.toString('utf8'))?.value === '__proto__'
}
