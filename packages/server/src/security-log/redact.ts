import { cleanText, limits } from '@bridgekeeper/protocol'
import type { FieldKind } from './events.ts'
import { REDACTED, withoutKnownKeys, withoutKnownSecrets, withoutRandomRuns } from './secrets.ts'

/** What holds a string: the kinds of the table's fields, and the two that any event may have. */
export type TextKind = Exclude<FieldKind, 'count' | 'flag'> | 'user' | 'ip'

const MAX_CHARS: Readonly<Record<Exclude<TextKind, 'digest'>, number>> = {
  code: limits.nameChars,
  id: limits.callIdChars,
  name: limits.nameChars,
  text: 256,
  user: limits.nameChars,
  ip: 64,
}

/** What is looked at of a longer value; the rest is gone. */
const SCANNED_CHARS = 1_024
const DIGEST = /^(?:[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{64})$/
/** Hex, or as short as our own call ids: too short for a key that `withoutKnownSecrets` would not know. */
const OWN_ID = /^(?:[\w-]{1,24}|user_[0-9a-f]{24}|[0-9a-f]{32})$/
const PLAIN_ID = /^[\w-]+$/
const ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|(?=[^:]{0,4}:)[0-9a-f:.]{2,45})$/i
const LONE_SURROGATE = /\p{Cs}/gu
const HALF_A_CHARACTER = /[\ud800-\udbff]$/
const NOT_ASCII = /[^\x20-\x7e]/g

const REMEMBERED = 2_000
const remembered: Record<'any' | 'user', Map<string, string>> = { any: new Map(), user: new Map() }

/**
 * A value as a JSON string that is safe in the log: without control, format or bidi characters, bounded, and
 * with what looks like a secret replaced by `[redacted]`. Pure ASCII: other characters are escaped.
 *
 * A `user` comes from a verified token of whoever embeds the bridge and may well be a long random id, so
 * only secrets of a known form are looked for in it.
 */
export function jsonText(kind: TextKind, value: unknown): string {
  if (typeof value !== 'string') return `"${REDACTED}"`
  if (kind === 'ip' && ADDRESS.test(value)) return `"${value}"`
  if (kind === 'digest') return DIGEST.test(value) ? `"${value}"` : `"${REDACTED}"`
  if (kind === 'id') return idText(value)
  // Names come again and again; what was changed is not kept, so that no secret stays in memory.
  const known = remembered[kind === 'user' ? 'user' : 'any']
  const before = value.length <= MAX_CHARS[kind] ? known.get(value) : undefined
  if (before !== undefined) return before
  const safe = redact(kind, value)
  const json = asciiJson(safe)
  if (safe === value) remember(known, value, json)
  return json
}

function idText(value: string): string {
  if (!PLAIN_ID.test(value)) return asciiJson(redact('id', value))
  const safe = OWN_ID.test(value) ? withoutKnownKeys(value) : redact('id', value)
  return `"${safe}"`
}

/** The value itself where nothing is wrong with it. */
function redact(kind: keyof typeof MAX_CHARS, value: string): string {
  const text = cleanText(value.slice(0, SCANNED_CHARS).replace(LONE_SURROGATE, ' '))
  const known = withoutKnownSecrets(text)
  const safe = kind === 'user' ? known : withoutRandomRuns(known)
  return safe.slice(0, MAX_CHARS[kind]).replace(HALF_A_CHARACTER, '')
}

function remember(known: Map<string, string>, value: string, json: string): void {
  if (known.size >= REMEMBERED) known.clear()
  known.set(value, json)
}

function asciiJson(text: string): string {
  return JSON.stringify(text).replace(NOT_ASCII, escaped)
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}
