import { type ChildProcessWithoutNullStreams, type SpawnOptionsWithoutStdio, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { pause, type System, settlesWithin } from '../system.ts'
import { type Family, findFamily, MARK, signalFamily } from './family.ts'
import { signalGroup } from './groups.ts'
import type { Reaper } from './reaper.ts'
import { realFiles, windowsLaunch } from './windows-launch.ts'

/** End of a process. */
export type ProcessEnd =
  | { readonly kind: 'not-started'; readonly errno: string }
  | { readonly kind: 'exited'; readonly exitCode: number }
  | { readonly kind: 'killed'; readonly signal: NodeJS.Signals }

export interface ProcessSpec {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Starts processes and signals groups. */
export interface Processes {
  spawn(
    command: string,
    args: readonly string[],
    options: SpawnOptionsWithoutStdio,
  ): ChildProcessWithoutNullStreams
  /** @returns whether there was anything to signal */
  signalGroup(groupId: number, signal: NodeJS.Signals): boolean
}

export const realProcesses: Processes = { spawn, signalGroup }

export interface ProcessHandlers {
  readonly onStdout: (chunk: Buffer) => void
  readonly onStderr: (chunk: Buffer) => void
  /** The process lost one of its pipes and is useless, though it runs. */
  readonly onPipeEnd: (pipe: 'stdin' | 'stdout') => void
}

/** Pseudo error number: a batch file would receive changed arguments. */
export const BATCH_ERRNO = 'EBATCH'

/** Time limits of the steps before SIGKILL: a closed standard input, and SIGTERM. */
export interface StopTimes {
  readonly stdinMs: number
  readonly termMs: number
}
/** A server with a browser needs more than a second to close it. */
export const STOP_TIMES: StopTimes = { stdinMs: 3_000, termMs: 1_500 }
const KILL_MS = 1_000
/** Time that leftovers of a server in separate groups have to close. */
const STRAYS_MS = 1_000
const STRAYS_POLL_MS = 100
const NO_GROUPS: ReadonlySet<number> = new Set()
const never = new AbortController().signal
/** Output that a server wrote just before it ended is still in the pipe when the end is reported. */
const DRAIN_MS = 500
/** The pipes of a process that ends are seen to end a little before it. */
const PIPE_MS = 500

/** A program with all that it starts, in its process group and in others: it ends as a whole. */
export class ServerProcess {
  /** Resolves when the process and all that it started have ended, and its output was read. */
  readonly ended: Promise<ProcessEnd>
  readonly #mark = randomUUID()
  readonly #system: System
  readonly #processes: Processes
  #known: Family = new Map()
  readonly #child: ChildProcessWithoutNullStreams | undefined

  /** Starts the program. `ended` reports a failed start. */
  constructor(
    spec: ProcessSpec,
    handlers: ProcessHandlers,
    deps: { readonly system: System; readonly reaper: Reaper; readonly processes: Processes },
  ) {
    this.#system = deps.system
    this.#processes = deps.processes
    const child = trySpawn(spec, this.#mark, deps.processes)
    if ('errno' in child) {
      this.ended = Promise.resolve({ kind: 'not-started', errno: child.errno })
      return
    }
    if (child.pid === undefined) {
      this.ended = new Promise((resolve) => {
        child.once('error', (error: NodeJS.ErrnoException) =>
          resolve({ kind: 'not-started', errno: error.code ?? 'unknown' }),
        )
      })
      return
    }
    deps.reaper.add(child.pid, this.#mark)
    this.#child = child
    this.ended = this.#watch(child, child.pid, deps.reaper)
    child.stdout.on('data', handlers.onStdout)
    child.stderr.on('data', handlers.onStderr)
    const pipeEnded = async (pipe: 'stdin' | 'stdout') => {
      if (!(await settlesWithin(deps.system, PIPE_MS, this.ended))) handlers.onPipeEnd(pipe)
    }
    child.stdout.once('end', () => void pipeEnded('stdout'))
    child.stdin.on('error', () => void pipeEnded('stdin'))
  }

  /** Written bytes that the process has not read yet. */
  get queuedBytes(): number {
    return this.#child?.stdin.writableLength ?? 0
  }

  /**
   * Queues bytes for its standard input.
   *
   * @param read is called when the operating system has taken the bytes
   */
  write(bytes: Buffer, read?: () => void): void {
    this.#child?.stdin.write(bytes, read)
  }

  /** Ends it: closes its input, then sends SIGTERM, then SIGKILL. Resolves when it is gone. */
  async stop(times: StopTimes): Promise<void> {
    const groupId = this.#child?.pid
    if (groupId === undefined) return
    // While the process lives, its descendants can be found without the mark.
    this.#findFamily(groupId)
    this.#child?.stdin.end()
    if (await settlesWithin(this.#system, times.stdinMs, this.ended)) return
    this.#signalAll(groupId, 'SIGTERM')
    // A process that was stopped takes the signal only now.
    if (process.platform !== 'win32') this.#signalAll(groupId, 'SIGCONT')
    if (await settlesWithin(this.#system, times.termMs, this.ended)) return
    this.#signalAll(groupId, 'SIGKILL')
    await settlesWithin(this.#system, KILL_MS + STRAYS_MS, this.ended)
  }

  #findFamily(groupId?: number): Family {
    const groups = groupId === undefined ? NO_GROUPS : new Set([groupId])
    this.#known = findFamily({ groups, marks: new Set([this.#mark]), known: this.#known })
    return this.#known
  }

  #signalAll(groupId: number, signal: NodeJS.Signals): void {
    // After its exit, its number may mean another group.
    if (this.#child?.exitCode !== null || this.#child.signalCode !== null) return
    this.#findFamily(groupId)
    this.#processes.signalGroup(groupId, signal)
    signalFamily(this.#known, signal)
  }

  async #watch(child: ChildProcessWithoutNullStreams, groupId: number, reaper: Reaper): Promise<ProcessEnd> {
    const drained = new Promise((resolve) => child.once('close', resolve))
    const end = await new Promise<ProcessEnd>((resolve) => {
      child.once('exit', (exitCode, signal) => {
        // In the tick of the exit, while no new group can have come by the same number.
        this.#processes.signalGroup(groupId, 'SIGKILL')
        reaper.removeGroup(groupId)
        resolve(signal === null ? { kind: 'exited', exitCode: exitCode ?? 0 } : { kind: 'killed', signal })
      })
    })
    await Promise.all([settlesWithin(this.#system, DRAIN_MS, drained), this.#endStrays()])
    reaper.removeMark(this.#mark)
    child.stdout.destroy()
    child.stderr.destroy()
    return end
  }

  /** Ends leftovers of the process in separate groups. */
  async #endStrays(): Promise<void> {
    if (this.#findFamily().size === 0) return
    signalFamily(this.#known, 'SIGTERM')
    signalFamily(this.#known, 'SIGCONT')
    const endMs = this.#system.monotonicMs() + STRAYS_MS
    while (this.#system.monotonicMs() < endMs) {
      await pause(this.#system, STRAYS_POLL_MS, never)
      if (this.#findFamily().size === 0) return
    }
    signalFamily(this.#known, 'SIGKILL')
  }
}

function trySpawn(
  spec: ProcessSpec,
  mark: string,
  processes: Processes,
): ChildProcessWithoutNullStreams | { readonly errno: string } {
  try {
    const isWindows = process.platform === 'win32'
    const launch = isWindows ? windowsLaunch(spec, realFiles) : { ...spec, isVerbatim: false }
    if (launch === 'unsafe') return { errno: BATCH_ERRNO }
    return processes.spawn(launch.command, launch.args, {
      cwd: spec.cwd,
      env: { ...spec.env, [MARK]: mark },
      shell: false,
      windowsVerbatimArguments: launch.isVerbatim,
      detached: !isWindows,
      windowsHide: true,
    })
  } catch (error) {
    return { errno: error instanceof Error && 'code' in error ? String(error.code) : 'unknown' }
  }
}
