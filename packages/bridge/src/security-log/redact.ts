import { cleanText, limits } from '@bridgekeeper/protocol'
import { Memo } from '../memoize.ts'
import type { FieldKind } from './events.ts'
import { REDACTED, withoutKnownKeys, withoutKnownSecrets, withoutRandomRuns } from './secrets.ts'

/** Field kinds with string values, plus the two that any event may have. */
export type TextKind = Exclude<FieldKind, 'count' | 'flag'> | 'user' | 'ip'

const MAX_CHARS = {
  code: limits.nameChars,
  id: limits.callIdChars,
  name: limits.nameChars,
  text: 256,
  user: limits.nameChars,
  ip: 64,
} as const satisfies Partial<Record<TextKind, number>>

const DIGEST = /^(?:[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{64})$/
/** Hex, or as short as our own call ids: too short for a key that `withoutKnownSecrets` would miss. */
const OWN_ID = /^(?:[\w-]{1,24}|user_[0-9a-f]{24}|(?:device_)?[0-9a-f]{32})$/
const LONE_SURROGATE = /\p{Cs}/gu
const HALF_A_CHARACTER = /[\ud800-\udbff]$/
const NOT_ASCII = /[^\x20-\x7e]/g

/** Limit of memoized redactions of each kind. */
const MAX_KEPT = 1_000

/** Memoized redactions of repeated names. A changed value is not kept, so that no secret stays in memory. */
export const redactions = {
  code: new Memo<string>(MAX_KEPT),
  name: new Memo<string>(MAX_KEPT),
  text: new Memo<string>(MAX_KEPT),
  user: new Memo<string>(MAX_KEPT),
  ip: new Memo<string>(MAX_KEPT),
} as const

/**
 * Returns a JSON string that is safe to log: no control, format or bidi characters, bounded, ASCII only, with
 * `[redacted]` in place of anything that looks like a secret.
 *
 * A `user` comes from the embedding app's verified token and may be a long random id, so it is only scanned
 * for secrets of a known form.
 */
export function jsonText(kind: TextKind, value: unknown): string {
  if (typeof value !== 'string') return `"${REDACTED}"`
  if (kind === 'digest') return DIGEST.test(value) ? `"${value}"` : `"${REDACTED}"`
  if (kind === 'id') return idText(value)
  const before = redactions[kind].get(value)
  if (before !== undefined) return before
  const safe = redact(kind, value)
  const json = asciiJson(safe)
  if (safe === value) redactions[kind].keep(value, json)
  return json
}

function idText(value: string): string {
  return OWN_ID.test(value) ? `"${withoutKnownKeys(value)}"` : asciiJson(redact('id', value))
}

/** Redacts a value; returns it unchanged if nothing is wrong with it. */
function redact(kind: keyof typeof MAX_CHARS, value: string): string {
  const text = cleanText(value).replace(LONE_SURROGATE, ' ')
  const known = withoutKnownSecrets(text)
  const safe = kind === 'user' ? known : withoutRandomRuns(known)
  return safe.slice(0, MAX_CHARS[kind]).replace(HALF_A_CHARACTER, '')
}

function asciiJson(text: string): string {
  return JSON.stringify(text).replace(NOT_ASCII, escaped)
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}
