const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A time such as `15m`, `12h`, `30d`, in milliseconds; `undefined` for what is none, or nothing. */
export function durationMs(text: string): number | undefined {
  const [, count, unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
  const value = Number(count) * (UNITS_MS[unit] ?? Number.NaN)
  return value > 0 ? value : undefined
}
