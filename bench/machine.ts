import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, cpus, platform } from 'node:os'

/** CPU time of the whole machine since it began, as the kernel counts it. */
export interface MachineTime {
  readonly busyMicros: number
  readonly totalMicros: number
}

/** The kernel counts in hundredths of a second, independent of its clock (proc(5), USER_HZ). */
const TICK_MICROS = 10_000

/** Reads the machine's CPU time; `undefined` where the kernel does not tell it this way. */
export function machineTime(): MachineTime | undefined {
  if (platform() !== 'linux') return undefined
  const [line = ''] = readFileSync('/proc/stat', 'latin1').split('\n', 1)
  // cpu user nice system idle iowait irq softirq steal; what follows is part of user and nice.
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number)
  const total = ticks.reduce((sum, value) => sum + value, 0)
  const idle = (ticks[3] ?? 0) + (ticks[4] ?? 0)
  return { busyMicros: (total - idle) * TICK_MICROS, totalMicros: total * TICK_MICROS }
}

/** The machine in words, without anything that names it. */
export function describeMachine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown CPU'
  const native = hasBufferutil() ? 'with' : 'without'
  return `${model}, ${availableParallelism()} cores; ${systemName()}; Node ${process.version}; ${native} bufferutil`
}

function systemName(): string {
  const file = '/etc/os-release'
  const name = existsSync(file)
    ? /^PRETTY_NAME="?([^"\n]+)/m.exec(readFileSync(file, 'utf8'))?.[1]
    : undefined
  return name ?? platform()
}

/** Masking large frames in native code changes the figures at 900 KB. */
function hasBufferutil(): boolean {
  try {
    createRequire(import.meta.url).resolve('bufferutil')
    return true
  } catch {
    return false
  }
}
