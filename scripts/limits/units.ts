import type { AllowanceLimit } from '@bridgekeeper/bridge/testing'

const KIB = 1_024
const MIB = KIB * KIB
const SPANS: readonly (readonly [number, string])[] = [
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1_000, 'second'],
]

/** A size as a reader says it: `32 MiB`. */
export function size(bytes: number): string {
  if (bytes >= MIB) return `${count(bytes / MIB)} MiB`
  return bytes >= KIB ? `${count(bytes / KIB)} KiB` : `${bytes} bytes`
}

/** A duration in its largest whole unit: `15 minutes`. */
export function span(ms: number): string {
  const [unitMs, name] = SPANS.find(([unitMs]) => ms >= unitMs && ms % unitMs === 0) ?? [1, 'ms']
  const units = ms / unitMs
  return `${count(units)} ${name}${units === 1 || name === 'ms' ? '' : 's'}`
}

/** A window: `100 in 15 minutes`. */
export function within({ max, windowMs }: { readonly max: number; readonly windowMs: number }): string {
  return `${count(max)} in ${span(windowMs)}`
}

/** An allowance: `600 at once, then 10 in 1 second`. */
export function allowance({ units, refillMs }: AllowanceLimit): string {
  return `${count(units)} at once, then ${count((units * 1_000) / refillMs)} in 1 second`
}

/** Digits in groups of three. */
export function count(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 2 })
}
