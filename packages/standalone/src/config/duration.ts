const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Reads a time such as `15m`, `12h` or `30d`. @returns milliseconds; `undefined` for any other text, or zero */
export function durationMs(text: string): number | undefined {
  const [, count, unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
  const value = Number(count) * (UNITS_MS[unit] ?? Number.NaN)
  return value > 0 ? value : undefined
}

/** Writes whole seconds the way `durationMs` reads them, in the largest unit that fits. */
export function durationText(valueMs: number): string {
  const [unit = 's', unitMs = 1_000] = Object.entries(UNITS_MS).findLast(([, ms]) => valueMs % ms === 0) ?? []
  return `${valueMs / unitMs}${unit}`
}
