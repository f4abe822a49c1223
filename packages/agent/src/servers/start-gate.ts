import type { System } from '../system.ts'

/** Servers that start at the same time: installers share the network, the disk and the processors. */
const AT_ONCE = 4
/** Time after which a starting server frees its slot: it probably waits for its user to log in. */
const HOLD_MS = 15_000
const HOLD_INSTALLER_MS = 60_000

/** Limits how many servers start at a time, in order of arrival. */
export class StartGate {
  readonly #system: System
  readonly #waiting: (() => void)[] = []
  #starting = 0

  constructor(system: System) {
    this.#system = system
  }

  /**
   * Waits for a slot, or until the signal aborts.
   *
   * @param mayInstall holds the slot longer
   * @returns frees the slot; may be called more than once
   */
  async enter(mayInstall: boolean, signal: AbortSignal): Promise<() => void> {
    if (signal.aborted) return () => {}
    if (this.#starting < AT_ONCE) this.#starting++
    else if (!(await this.#awaitSlot(signal))) return () => {}
    let isOver = false
    const leave = () => {
      if (isOver) return
      isOver = true
      cancel()
      const next = this.#waiting.shift()
      if (next === undefined) this.#starting--
      else next()
    }
    const cancel = this.#system.schedule(mayInstall ? HOLD_INSTALLER_MS : HOLD_MS, leave)
    return leave
  }

  /** @returns false if the signal aborted first */
  #awaitSlot(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const next = () => {
        signal.removeEventListener('abort', abort)
        resolve(true)
      }
      const abort = () => {
        this.#waiting.splice(this.#waiting.indexOf(next), 1)
        resolve(false)
      }
      signal.addEventListener('abort', abort, { once: true })
      this.#waiting.push(next)
    })
  }
}
