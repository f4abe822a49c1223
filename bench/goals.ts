import type { Cell } from './pairs.ts'
import type { RowName } from './rows.ts'
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

const P50_LARGE: Goal = { better: 'lower', must: 1.5, aim: 1.2 }
const P99: Goal = { better: 'lower', must: 2, aim: 1.5 }
const PROGRESS: Goal = { better: 'lower', must: 2, aim: 1.4 }

/** Goals of each row, by the number of concurrent calls and the figure. */
const goals: Readonly<Record<RowName, Readonly<Record<`${number} ${FigureName}`, Goal>>>> = {
  '200B': {
    '32 cpuMicros': { better: 'lower', must: 1.8, aim: 1.4 },
    '32 callsPerSecond': { better: 'higher', must: 0.6, aim: 0.8 },
    '1 p50Ms': { better: 'lower', must: 1.6, aim: 1.25 },
    '32 p99Ms': P99,
  },
  '64KB': { '1 p50Ms': P50_LARGE, '32 p99Ms': P99 },
  '900KB': { '1 p50Ms': P50_LARGE, '32 p99Ms': P99 },
  '10MiB': { '4 callsPerSecond': { better: 'higher', must: 0.5, aim: 0.8 } },
  prompt: {},
  progress: { '32 cpuMicros': PROGRESS, '1 p50Ms': PROGRESS },
}

/** The goal for a figure, where there is one. */
export function goalOf(figure: FigureName, { row, concurrency }: Cell): Goal | undefined {
  return goals[row][`${concurrency} ${figure}`]
}

/** Whether a ratio keeps its goal. */
export function judge(ratio: number, { better, must, aim }: Goal): Verdict {
  const reaches = (bound: number) => (better === 'lower' ? ratio <= bound : ratio >= bound)
  if (reaches(aim)) return 'aim met'
  return reaches(must) ? 'must met' : 'MISSED'
}
