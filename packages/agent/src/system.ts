/** Time and chance, handed to whoever needs them so that tests can hold them still. */
export interface System {
  /** The wall clock, milliseconds since 1970. It goes on while the machine sleeps; timers do not. */
  readonly nowMs: () => number
  /** A number in [0, 1). */
  readonly random: () => number
  /** Runs `run` once after the delay, and returns what calls it off. */
  readonly schedule: (delayMs: number, run: () => void) => () => void
}

export const realSystem: System = {
  nowMs: () => Date.now(),
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
