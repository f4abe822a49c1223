/** The side of a benchmark process that speaks with the process that started it. */

/** Message of a process to its parent once it is ready. */
export interface Ready {
  /** Port on loopback; 0 for an agent, which does not listen. */
  readonly port: number
  /** Credentials for an agent and a caller; a relay accepts everyone. */
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
