import { parseJson } from './json.ts'
import { BACKSLASH, isTextAt, NOT_FOUND, OPEN_BRACE, OPEN_BRACKET, QUOTE, skipSpace } from './json-bytes.ts'
import { pastArray, pastObject, pastValue } from './json-grammar.ts'
import { limits } from './limits.ts'

/** Position of a JSON value in its buffer: first byte, and the byte after its last. */
export type Span = readonly [start: number, end: number]

/** Keys that reach an object's prototype where a careless program merges objects. No frame has such a member. */
const PROTOTYPE_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/**
 * Finds the members of the outermost object without making values of them, so that a payload can be forwarded as
 * the bytes it came in. Checks the grammar of the whole text on the way. The bytes must be UTF-8.
 *
 * @returns `undefined` when the bytes are not such an object, or when a key occurs twice or is
 * written with escapes (two parsers could then disagree about what it says).
 */
export function objectMembers(json: Buffer): ReadonlyMap<string, Span> | undefined {
  const members = new Map<string, Span>()
  const isObject = eachMember(json, [0, json.length], (keyStart, keyEnd, start, end) => {
    const key = plainKey(json, keyStart, keyEnd)
    if (key === undefined || members.has(key) || members.size === limits.frameMembers) return false
    members.set(key, [start, end])
    return true
  })
  return isObject ? members : undefined
}

const OPEN = Buffer.from('{')
const SEPARATOR = Buffer.from(',')
const CLOSE = Buffer.from('}')

/** Stands for a member that occurs more than once. */
export const TWICE: Span = [NOT_FOUND, NOT_FOUND]

/**
 * Finds the members with these names in an object that may have any others, with keys in any spelling.
 * @param names in ASCII
 * @param object the span of the object, if it is not the whole text
 * @param onOther called for each member with another name
 * @returns their spans in the order of the names: `undefined` for an absent member, `TWICE` for a repeated one;
 * `undefined` instead of all of them if this is not one object
 */
export function pickMembers(
  json: Buffer,
  names: readonly string[],
  object: Span = [0, json.length],
  onOther?: () => void,
): readonly (Span | undefined)[] | undefined {
  const spans: (Span | undefined)[] = names.map(() => undefined)
  const take = (keyStart: number, keyEnd: number, start: number, end: number): boolean => {
    const index = indexOfKey(names, json, keyStart, keyEnd)
    if (index === NOT_FOUND) onOther?.()
    else spans[index] = spans[index] === undefined ? [start, end] : TWICE
    return true
  }
  return eachMember(json, object, take) ? spans : undefined
}

/**
 * @param take receives each member's key, without its quotes, and value; false ends the walk
 * @returns whether the span is one object, and `take` accepted all members
 */
export function eachMember(
  json: Buffer,
  [objectStart, objectEnd]: Span,
  take: (keyStart: number, keyEnd: number, start: number, end: number) => boolean,
): boolean {
  const at = pastObject(json, skipSpace(json, objectStart), (start, keyStart, keyEnd) => {
    const end = pastValue(json, start)
    return end === NOT_FOUND || take(keyStart, keyEnd, start, end) ? end : NOT_FOUND
  })
  return at !== NOT_FOUND && endsAt(json, at, objectEnd)
}

/**
 * Reads the complete members of an object that ends too early or is malformed. If a key occurs twice, the
 * first counts. Keys are returned as written.
 */
export function leadingMembers(json: Buffer): ReadonlyMap<string, Span> {
  const members = new Map<string, Span>()
  let count = 0
  eachMember(json, [0, json.length], (keyStart, keyEnd, start, end) => {
    const key = json.toString('utf8', keyStart, keyEnd)
    // A value that touches the end may continue behind it.
    if (!members.has(key) && end < json.length) members.set(key, [start, end])
    return ++count < limits.frameMembers
  })
  return members
}

/**
 * Finds the items of an array, as `objectMembers` finds members.
 * @returns `undefined` when the bytes are not one array, or have more items
 */
export function arrayItems(
  json: Buffer,
  maxItems: number = limits.frameMembers,
): readonly Span[] | undefined {
  const items: Span[] = []
  const at = pastArray(json, skipSpace(json, 0), (start) => {
    const end = items.length < maxItems ? pastValue(json, start) : NOT_FOUND
    if (end !== NOT_FOUND) items.push([start, end])
    return end
  })
  return at !== NOT_FOUND && endsAt(json, at, json.length) ? items : undefined
}

/** Finds the first items of an array. @returns `undefined` when the bytes are not one array */
export function firstItems(json: Buffer, maxItems: number): readonly Span[] | undefined {
  const items: Span[] = []
  const at = pastArray(json, skipSpace(json, 0), (start) => {
    const end = pastValue(json, start)
    if (end !== NOT_FOUND && items.length < maxItems) items.push([start, end])
    return end
  })
  return at !== NOT_FOUND && endsAt(json, at, json.length) ? items : undefined
}

/** The byte after the object that opens here; -1 if it does not end. */
export function objectEnd(json: Buffer, at: number): number {
  return json[at] === OPEN_BRACE ? pastValue(json, at) : NOT_FOUND
}

/** Whether the span's bytes equal this ASCII text. */
export function spanIs(json: Buffer, span: Span | undefined, text: string): boolean {
  return span !== undefined && isTextAt(json, span[0], span[1], text)
}

/**
 * Removes members from an object. @returns the object itself if it has none of them, `undefined` if it has no
 * others
 */
export function withoutMembers(object: Buffer, names: readonly string[]): Buffer | undefined {
  const kept: Buffer[] = []
  let count = 0
  const take = (keyStart: number, keyEnd: number, _start: number, end: number): boolean => {
    count++
    if (indexOfKey(names, object, keyStart, keyEnd) === NOT_FOUND)
      kept.push(kept.length === 0 ? OPEN : SEPARATOR, object.subarray(keyStart - 1, end))
    return true
  }
  eachMember(object, [0, object.length], take)
  if (kept.length === 2 * count) return object
  return kept.length === 0 ? undefined : Buffer.concat([...kept, CLOSE])
}

/** Whether there is no span, or its value is `null` or `[]`. */
export function isEmptyAt(json: Buffer, span: Span | undefined): boolean {
  if (span === undefined || spanIs(json, span, 'null')) return true
  return json[span[0]] === OPEN_BRACKET && skipSpace(json, span[0] + 1) === span[1] - 1
}

/** The bytes of a span; `undefined` without one. */
export function bytesAt(json: Buffer, span: Span | undefined): Buffer | undefined {
  return span === undefined ? undefined : json.subarray(span[0], span[1])
}

/** The text of a string; `undefined` if it is missing or another type. */
export function stringAt(json: Buffer, span: Span | undefined): string | undefined {
  if (span === undefined || json[span[0]] !== QUOTE) return undefined
  const value = parseJson(json.toString('utf8', span[0], span[1]))?.value
  return typeof value === 'string' ? value : undefined
}

/** Index of the text that equals these bytes. */
function indexOfText(texts: readonly string[], json: Buffer, start: number, end: number): number {
  for (let index = 0; index < texts.length; index++)
    if (isTextAt(json, start, end, texts[index] as string)) return index
  return NOT_FOUND
}

/** The same for a key in any spelling. */
function indexOfKey(names: readonly string[], json: Buffer, start: number, end: number): number {
  const index = indexOfText(names, json, start, end)
  if (index !== NOT_FOUND || !json.subarray(start, end).includes(BACKSLASH)) return index
  const key = parseJson(`"${json.toString('utf8', start, end)}"`)?.value
  return typeof key === 'string' ? names.indexOf(key) : NOT_FOUND
}

/** `undefined` for a key that is written with escapes, or reaches a prototype. */
function plainKey(json: Buffer, start: number, end: number): string | undefined {
  const key = json.toString('utf8', start, end)
  return key.includes('\\') || PROTOTYPE_KEYS.has(key) ? undefined : key
}

/** Whether nothing but white space is left until there. */
function endsAt(json: Buffer, at: number, end: number): boolean {
  return at <= end && skipSpace(json, at) >= end
}
