import type { Document, Member } from './document.ts'

/** The time that an entry gives its server to start. */
export interface EntryStartLimit {
  readonly limitMs: number
  /**
   * Whether the name means only the start. In many programs `timeout` is the limit of a call, so it must not
   * interrupt an installation.
   */
  readonly isExact: boolean
}

type Unit = 's' | 'ms' | 'by size'

/** Names without case, underscores and hyphens. Codex writes `startup_timeout_sec`; most others `timeout`. */
const EXACT: ReadonlyMap<string, Unit> = new Map([
  ['startuptimeoutsec', 's'],
  ['startuptimeoutseconds', 's'],
  ['starttimeoutsec', 's'],
  ['startuptimeoutms', 'ms'],
  ['starttimeoutms', 'ms'],
  ['startuptimeout', 'by size'],
  ['starttimeout', 'by size'],
])
const LOOSE: ReadonlyMap<string, Unit> = new Map([
  ['timeout', 'by size'],
  ['timeoutsec', 's'],
  ['timeoutms', 'ms'],
])
/** A larger number without a unit counts as milliseconds, since it is too long for seconds. */
const SMALLEST_MS = 1_000
const LONGEST_MS = 3_600_000
/** Units in the text, as in `30s`. */
const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['sec', 1_000],
  ['m', 60_000],
  ['min', 60_000],
  ['h', 3_600_000],
])
const WITH_UNIT = /^\s*(\S+?)\s*(ms|s|sec|m|min|h)?\s*$/i

/**
 * Reads the start limit of an entry: seconds up to 999, milliseconds from 1,000 on, unless the text or the name
 * has a unit.
 *
 * @returns the member's name if it means the start and is not a positive number
 */
export function readStartLimit(
  members: readonly Member[],
  document: Document,
): EntryStartLimit | { readonly invalid: string } | undefined {
  let loose: EntryStartLimit | undefined
  for (const { name, node } of members) {
    const plainName = name.toLowerCase().replaceAll(/[_-]/g, '')
    const exactUnit = EXACT.get(plainName)
    const unit = exactUnit ?? LOOSE.get(plainName)
    if (unit === undefined || node.type === 'null') continue
    const limitMs = inMs(document.scalar(node) ?? '', unit)
    if (exactUnit !== undefined) return limitMs === undefined ? { invalid: name } : { limitMs, isExact: true }
    if (limitMs !== undefined) loose = { limitMs, isExact: false }
  }
  return loose
}

/** @param unit that of the member's name, which counts if the text has none */
function inMs(text: string, unit: Unit): number | undefined {
  const [, number = '', written] = WITH_UNIT.exec(text) ?? []
  const value = Number(number || Number.NaN)
  if (!(value > 0)) return undefined
  const isSeconds = unit === 's' || (unit === 'by size' && value < SMALLEST_MS)
  const usualMs = isSeconds ? 1_000 : 1
  return Math.min(value * (UNIT_MS.get(written?.toLowerCase() ?? '') ?? usualMs), LONGEST_MS)
}
