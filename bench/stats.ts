/** The arithmetic of the benchmark, apart from everything that runs or measures. */

export interface Interval {
  readonly low: number
  readonly high: number
}

const RESAMPLES = 2_000

/** The value below which `share` (0 to 1) of the values lie, interpolated. NaN when there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const below = sorted[Math.floor(at)]
  const above = sorted[Math.ceil(at)]
  if (below === undefined || above === undefined) return Number.NaN
  return below + (above - below) * (at - Math.floor(at))
}

/** The middle value. NaN when there are none. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** A 95 % percentile-bootstrap interval of the median. The same values always give the same interval. */
export function medianInterval(values: readonly number[]): Interval {
  const random = randomSource(values.length)
  const medians = Array.from({ length: RESAMPLES }, () =>
    median(values.map(() => values[Math.floor(random() * values.length)] ?? Number.NaN)),
  )
  return { low: quantile(medians, 0.025), high: quantile(medians, 0.975) }
}

/** How far from 1 the interval of a ratio reaches: what two equal targets may differ by in this run. */
export function reachFromOne(interval: Interval): number {
  return Math.max(Math.abs(interval.low - 1), Math.abs(interval.high - 1))
}

/** Rows of text under a header, columns aligned: the first `leftColumns` to the left, the rest to the right. */
export function alignedTable(rows: readonly (readonly string[])[], leftColumns: number): string {
  const [header = []] = rows
  const widths = header.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  const rule = widths.map((width) => '-'.repeat(width))
  return [header, rule, ...rows.slice(1)]
    .map((row) =>
      widths
        .map((width, column) => {
          const cell = row[column] ?? ''
          return column < leftColumns ? cell.padEnd(width) : cell.padStart(width)
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Mulberry32 (public domain, Tommy Ettinger): small, seeded, good enough to draw samples with. */
function randomSource(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}
