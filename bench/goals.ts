import type { Cell } from './pairs.ts'
import type { FigureName } from './sample.ts'

/**
 * Limits of a figure of the bridge, as a ratio to the bare relay in the same run: `must` fails, `aim` is the
 * target.
 */
export interface Goal {
  readonly better: 'lower' | 'higher'
  readonly must: number
  readonly aim: number
}

export type Verdict = 'aim met' | 'must met' | 'MISSED'

/** The goal for a figure, where there is one. */
export function goalOf(figure: FigureName, { size, concurrency }: Cell): Goal | undefined {
  switch (figure) {
    case 'cpuMicros':
      return concurrency === 32 && size === '200B' ? { better: 'lower', must: 1.8, aim: 1.4 } : undefined
    case 'callsPerSecond':
      return concurrency === 32 && size === '200B' ? { better: 'higher', must: 0.6, aim: 0.8 } : undefined
    case 'p50Ms':
      if (concurrency !== 1) return undefined
      return size === '200B'
        ? { better: 'lower', must: 1.6, aim: 1.25 }
        : { better: 'lower', must: 1.5, aim: 1.2 }
    case 'p99Ms':
      return concurrency === 32 ? { better: 'lower', must: 2, aim: 1.5 } : undefined
  }
}

/** Whether a ratio keeps its goal. */
export function judge(ratio: number, { better, must, aim }: Goal): Verdict {
  const reaches = (bound: number) => (better === 'lower' ? ratio <= bound : ratio >= bound)
  if (reaches(aim)) return 'aim met'
  return reaches(must) ? 'must met' : 'MISSED'
}
