import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { type System, settlesWithin } from '../system.ts'
import { signalGroup } from './groups.ts'
import type { Reaper } from './reaper.ts'

/** How a process came to its end. */
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

export interface ProcessHandlers {
  readonly onStdout: (chunk: Buffer) => void
  readonly onStderr: (chunk: Buffer) => void
  /** It runs on without one of its pipes: it is of no use any more. */
  readonly onPipeEnd: (pipe: 'stdin' | 'stdout') => void
}

/** How long each step of the way from asking to killing may take. */
export interface StopTimes {
  readonly stdinMs: number
  readonly termMs: number
}
export const STOP_TIMES: StopTimes = { stdinMs: 1_000, termMs: 2_000 }
const KILL_MS = 1_000
/** Output that a server wrote just before it ended is still in the pipe when the end is reported. */
const DRAIN_MS = 500
/** The pipes of a process that ends are seen to end a little before it. */
const PIPE_MS = 500

/** A program with all that it starts: one process group, which ends as a whole. */
export class ServerProcess {
  /** Resolves when the process has ended and its output was read. */
  readonly ended: Promise<ProcessEnd>
  readonly #system: System
  readonly #child: ChildProcessWithoutNullStreams | undefined

  /** Starts the program. That it cannot be started is told by `ended`. */
  constructor(
    spec: ProcessSpec,
    handlers: ProcessHandlers,
    deps: { readonly system: System; readonly reaper: Reaper },
  ) {
    this.#system = deps.system
    const child = trySpawn(spec)
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
    deps.reaper.add(child.pid)
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

  /** Written, and not yet taken by the process. */
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

  /** Ends it: politely, then by SIGTERM, then by SIGKILL. Resolves when it is gone. */
  async stop(times: StopTimes): Promise<void> {
    const groupId = this.#child?.pid
    if (groupId === undefined) return
    this.#child?.stdin.end()
    if (await settlesWithin(this.#system, times.stdinMs, this.ended)) return
    signalGroup(groupId, 'SIGTERM')
    if (await settlesWithin(this.#system, times.termMs, this.ended)) return
    signalGroup(groupId, 'SIGKILL')
    await settlesWithin(this.#system, KILL_MS, this.ended)
  }

  async #watch(child: ChildProcessWithoutNullStreams, groupId: number, reaper: Reaper): Promise<ProcessEnd> {
    const drained = new Promise((resolve) => child.once('close', resolve))
    const end = await new Promise<ProcessEnd>((resolve) => {
      child.once('exit', (exitCode, signal) => {
        // In the tick of the exit, while no new group can have come by the same number.
        signalGroup(groupId, 'SIGKILL')
        reaper.remove(groupId)
        resolve(signal === null ? { kind: 'exited', exitCode: exitCode ?? 0 } : { kind: 'killed', signal })
      })
    })
    await settlesWithin(this.#system, DRAIN_MS, drained)
    child.stdout.destroy()
    child.stderr.destroy()
    return end
  }
}

function trySpawn(spec: ProcessSpec): ChildProcessWithoutNullStreams | { readonly errno: string } {
  try {
    return spawn(spec.command, spec.args, {
      cwd: spec.cwd,
      env: spec.env,
      shell: false,
      detached: process.platform !== 'win32',
      windowsHide: true,
    })
  } catch (error) {
    return { errno: error instanceof Error && 'code' in error ? String(error.code) : 'unknown' }
  }
}
