import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { atEnd } from './at-end.ts'
import { lastLines, showOnFailure } from './last-seen.ts'
import { kill, processesWith } from './processes.ts'

export const repository = join(import.meta.dirname, '../..')

export type Env = Readonly<Record<string, string>>

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Variables kept from the environment: others must not influence the tests. */
const KEPT = ['HOME', 'LANG', 'USER', 'TMPDIR', 'NODE_COMPILE_CACHE']
const LINE_MS = 20_000
const KILL_MS = 5_000

/**
 * A real program with everything it starts. Whatever still runs when the test ends is killed by process id,
 * even outside its process group or without its parent: all of them inherit a mark in the search path.
 */
export class Program {
  readonly ended: Promise<Ended>
  readonly #child: ChildProcess
  readonly #mark = `/bridgekeeper-e2e-${randomUUID()}`
  #stdout = ''
  #stderr = ''
  #hasEnded = false
  #waiting: (() => void)[] = []

  constructor(command: string, args: readonly string[], env: Env = {}, folder = repository) {
    const kept = Object.fromEntries(KEPT.map((name) => [name, process.env[name]]))
    this.#child = spawn(command, args, {
      cwd: folder,
      env: { ...kept, ...env, PATH: `${process.env.PATH}:${this.#mark}` },
    })
    this.#child.stdin?.on('error', () => {})
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text
      this.#wake()
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
      this.#wake()
    })
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('close', (code, signal) => {
        this.#hasEnded = true
        this.#wake()
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr })
      })
    })
    atEnd(() => this.#killAll())
    showOnFailure([command, ...args].join(' '), () => this.#lastSeen)
  }

  get pid(): number {
    return this.#child.pid ?? Number.NaN
  }

  get stdout(): string {
    return this.#stdout
  }

  /** Everything that it has printed. */
  get output(): string {
    return this.#stdout + this.#stderr
  }

  /** Sends a signal to the started process. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  write(text: string): void {
    this.#child.stdin?.write(text)
  }

  endInput(): void {
    this.#child.stdin?.end()
  }

  /** Resolves with the result of `find` in its standard output; rejects if the program ends first. */
  async printed<T>(find: (stdout: string) => T | undefined, withinMs = LINE_MS): Promise<T> {
    const endMs = Date.now() + withinMs
    for (;;) {
      const found = find(this.#stdout)
      if (found !== undefined) return found
      if (this.#hasEnded)
        throw new Error(`the program ended before ${find} found anything\n${this.#lastSeen}`)
      if (Date.now() > endMs)
        throw new Error(`${find} found nothing within ${withinMs} ms\n${this.#lastSeen}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.max(0, endMs - Date.now()) + 1)
        this.#waiting.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  /** Lists its running processes: its own and all descendants, also after a change of parent. */
  processes(): readonly number[] {
    return processesWith(this.#mark)
  }

  get #lastSeen(): string {
    const { exitCode, signalCode } = this.#child
    const state = this.#hasEnded ? `ended with ${exitCode ?? signalCode}` : 'still runs'
    return `${state}; stdout:\n${lastLines(this.#stdout)}\nstderr:\n${lastLines(this.#stderr)}`
  }

  #wake(): void {
    for (const resume of this.#waiting.splice(0)) resume()
  }

  async #killAll(): Promise<void> {
    const endMs = Date.now() + KILL_MS
    for (let pids = this.processes(); pids.length > 0; pids = this.processes()) {
      if (Date.now() > endMs) throw new Error(`cannot kill ${pids.join(', ')}`)
      for (const pid of pids) kill(pid)
      await delay(10)
    }
  }
}

/** Runs a program to its end. `input` is all of its standard input. */
export function run(command: string, args: readonly string[], env?: Env, input = ''): Promise<Ended> {
  const program = new Program(command, args, env)
  program.write(input)
  program.endInput()
  return program.ended
}
