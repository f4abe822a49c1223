import { type ChildProcess, spawn } from 'node:child_process'
import { parse } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { System } from '../system.ts'

/** The helper's program, with the extension of this file: source or built. */
const PROGRAM = fileURLToPath(new URL(`./reaper-process${parse(import.meta.filename).ext}`, import.meta.url))
const RESTART_MS = 100

/**
 * Ends the local servers if the agent dies without doing so. A separate process does the work; this is the
 * agent's end of its pipe.
 */
export class Reaper {
  readonly #system: System
  readonly #groups = new Set<number>()
  readonly #marks = new Set<string>()
  #child: ChildProcess | undefined
  #closed = false

  constructor(system: System) {
    this.#system = system
    this.#start()
  }

  /** The helper's process id, while it runs. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Registers a group, and the mark of its descendants; call it in the same tick as the spawn. */
  add(groupId: number, mark: string): void {
    this.#groups.add(groupId)
    this.#marks.add(mark)
    this.#send(`+${groupId}\n+${mark}\n`)
  }

  /** Forgets a group that has ended: the system may reuse its number. */
  removeGroup(groupId: number): void {
    this.#groups.delete(groupId)
    this.#send(`-${groupId}\n`)
  }

  /** Forgets a mark that no process has any more. */
  removeMark(mark: string): void {
    this.#marks.delete(mark)
    this.#send(`-${mark}\n`)
  }

  /** Closes the pipe; the helper then ends everything that is still registered. */
  close(): void {
    this.#closed = true
    this.#child?.stdin?.end()
  }

  #start(): void {
    if (this.#closed) return
    const child = trySpawn()
    if (child === undefined) return this.#startLater()
    // A failed spawn emits 'error', and 'close' only if the pipe was made first.
    let isOver = false
    const end = () => {
      if (isOver) return
      isOver = true
      this.#child = undefined
      this.#startLater()
    }
    child.on('error', end)
    child.once('close', end)
    child.stdin?.on('error', () => {})
    child.unref()
    this.#child = child
    for (const each of [...this.#groups, ...this.#marks]) this.#send(`+${each}\n`)
  }

  #startLater(): void {
    if (!this.#closed) this.#system.schedule(RESTART_MS, () => this.#start())
  }

  /**
   * With an empty queue, a write to a pipe makes its system call before it returns. So a kill of the agent
   * right after a spawn cannot lose a registration that is still in memory.
   */
  #send(line: string): void {
    this.#child?.stdin?.write(line)
  }
}

/** Spawns the helper; `undefined` if `spawn` throws. If file descriptors run out, the child has no pipe. */
function trySpawn(): ChildProcess | undefined {
  try {
    return spawn(process.execPath, [PROGRAM], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: parse(PROGRAM).root,
      env: { PATH: process.env.PATH },
      windowsHide: true,
    })
  } catch {
    return undefined
  }
}
