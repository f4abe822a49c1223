import { cpuMicros } from './child.ts'
import type { LoadClient } from './client.ts'
import { machineTime } from './machine.ts'
import type { Target } from './targets.ts'

/** The figures of one sample, by name. */
export const figureNames = ['cpuMicros', 'callsPerSecond', 'p50Ms', 'p99Ms'] as const
export type FigureName = (typeof figureNames)[number]
export type Figures = Readonly<Record<FigureName, number>>

export interface Timing {
  readonly warmUpMs: number
  readonly sampleMs: number
}

/** How many samples may still be taken again in this run, which must end on a busy machine too. */
export interface Patience {
  retakesLeft: number
}

/** A target with the connections that call it. */
export interface Loaded {
  readonly target: Target
  readonly client: LoadClient
}

export interface Sample {
  readonly figures: Figures
  /** How often it was taken again because something else used the machine. */
  readonly retakes: number
  /** Whether something else used the machine in the last take too. */
  readonly disturbed: boolean
}

/** Beyond this part of the machine used by others, a sample is taken again. */
const OTHERS_LIMIT = 0.06
const TAKES = 4
const PAUSE_MS = 200

/**
 * Measures one target once.
 *
 * @param all every target alive: their idle use is not that of others
 */
export async function takeSample(
  loaded: Loaded,
  all: readonly Target[],
  timing: Timing,
  patience: Patience,
): Promise<Sample> {
  for (let retakes = 0; ; retakes++) {
    const { figures, othersShare } = await takeOnce(loaded, all, timing)
    const disturbed = othersShare > OTHERS_LIMIT
    if (!disturbed || retakes === TAKES - 1 || patience.retakesLeft === 0) {
      return { figures, retakes, disturbed }
    }
    patience.retakesLeft--
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
}

async function takeOnce({ target, client }: Loaded, all: readonly Target[], timing: Timing) {
  await client.run(timing.warmUpMs)
  const before = await usage(target, all)
  const run = await client.run(timing.sampleMs)
  const after = await usage(target, all)
  const figures: Figures = {
    cpuMicros: (after.middleMicros - before.middleMicros) / run.calls,
    callsPerSecond: (run.calls * 1_000) / run.elapsedMs,
    p50Ms: run.p50Ms,
    p99Ms: run.p99Ms,
  }
  return { figures, othersShare: othersShare(before, after) }
}

interface Usage {
  readonly middleMicros: number
  /** This process, and all the processes it started. */
  readonly ownMicros: number
  readonly machine: ReturnType<typeof machineTime>
}

async function usage(target: Target, all: readonly Target[]): Promise<Usage> {
  const processes = all.flatMap(({ middle, agent }) => [middle, agent])
  const used = await Promise.all(processes.map((each) => each.cpuMicros()))
  const middleMicros = used[processes.indexOf(target.middle)] ?? Number.NaN
  const ownMicros = used.reduce((sum, micros) => sum + micros, cpuMicros())
  return { middleMicros, ownMicros, machine: machineTime() }
}

function othersShare(before: Usage, after: Usage): number {
  if (before.machine === undefined || after.machine === undefined) return 0
  const busyMicros = after.machine.busyMicros - before.machine.busyMicros
  const totalMicros = after.machine.totalMicros - before.machine.totalMicros
  return (busyMicros - (after.ownMicros - before.ownMicros)) / totalMicros
}
