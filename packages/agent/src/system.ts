/** Time and randomness, passed in so that tests can control them. */
export interface System {
  /**
   * Wall clock, milliseconds since 1970. It advances during sleep and jumps when it is set, so it only
   * detects sleep and never decides when something is due.
   */
  readonly nowMs: () => number
  /** A clock that never steps back, for every deadline and duration. On some systems it sleeps, too. */
  readonly monotonicMs: () => number
  /** A number in [0, 1). */
  readonly random: () => number
  /** Calls `run` once after the delay. @returns cancels it */
  readonly schedule: (delayMs: number, run: () => void) => () => void
}

export const realSystem: System = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  random: () => Math.random(),
  schedule: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
}

/** Resolves after the delay, or as soon as the signal aborts; never rejects. */
export function pause(system: System, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const finish = () => {
      cancel()
      signal.removeEventListener('abort', finish)
      resolve()
    }
    const cancel = system.schedule(delayMs, finish)
    signal.addEventListener('abort', finish, { once: true })
  })
}

/** Whether the promise settles within the delay. */
export function settlesWithin(system: System, delayMs: number, promise: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = system.schedule(delayMs, () => resolve(false))
    const settled = () => {
      cancel()
      resolve(true)
    }
    promise.then(settled, settled)
  })
}
