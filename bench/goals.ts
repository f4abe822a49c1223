import type { Cell } from './pairs.ts'
import type { FigureName } from './sample.ts'

/** What a figure of the bridge must be, and should be, as a ratio to the bare relay in the same run. */
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
      return concurrency === 32 ? { better: 'lower', must: 1.6, aim: 1.3 } : undefined
    case 'callsPerSecond':
      return concurrency === 32 && size === '200B' ? { better: 'higher', must: 0.75, aim: 0.9 } : undefined
    case 'p50Ms':
      if (size === '900KB') return { better: 'lower', must: 1.4, aim: 1.2 }
      return concurrency === 1 && size === '200B' ? { better: 'lower', must: 1.2, aim: 1.1 } : undefined
    case 'p99Ms':
      return concurrency === 32 ? { better: 'lower', must: 2, aim: 1.3 } : undefined
  }
}

/** Whether a ratio keeps its goal. */
export function judge(ratio: number, { better, must, aim }: Goal): Verdict {
  const reaches = (bound: number) => (better === 'lower' ? ratio <= bound : ratio >= bound)
  if (reaches(aim)) return 'aim met'
  return reaches(must) ? 'must met' : 'MISSED'
}
