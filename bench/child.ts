/** The side of a benchmark process that speaks with the process that started it. */

/** What a process tells its parent once it can be used. */
export interface Ready {
  /** Where it listens, on loopback; 0 for an agent, which does not. */
  readonly port: number
  /** What an agent and a caller need to be let in; a relay lets everyone in. */
  readonly login?: Login
}

export interface Login {
  readonly token: string
  readonly userId: string
  readonly sessionId: string
}

/** Longer than any pause between two samples, so that callers keep their connections. */
export const KEEP_ALIVE_MS = 60_000

export type ToChild = 'cpu'
export type FromChild = { readonly ready: Ready } | { readonly cpuMicros: number }

/** Tells the parent that this process is ready; from then on answers what it asks, and ends when it ends. */
export function announce(ready: Ready): void {
  const tell = (message: FromChild) => process.send?.(message)
  process.on('message', (asked: ToChild) => {
    if (asked === 'cpu') tell({ cpuMicros: cpuMicros() })
  })
  process.on('disconnect', () => process.exit(0))
  tell({ ready })
}

/** CPU that this process has used since it began, all its threads, user and system. */
export function cpuMicros(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}
