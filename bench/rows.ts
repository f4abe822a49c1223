/** A row of the benchmark: the request, the size of its result, and how many requests run at once. */
export interface Row {
  /**
   * - `call`: a call of a tool in the short form.
   * - `prompt`: `prompts/get` in an MCP session.
   * - `progress`: a call in an MCP session, whose answer is a stream with notifications before the result.
   */
  readonly kind: 'call' | 'prompt' | 'progress'
  readonly resultBytes: number
  readonly concurrencies: readonly number[]
  /** Multiplies the time of a sample, in which few large results fit. Default 1. */
  readonly sampleFactor?: number
}

export type RowName = '200B' | '64KB' | '900KB' | '10MiB' | 'prompt' | 'progress'

const KIB = 1_024
const BOTH = [1, 32] as const

export const rows: Readonly<Record<RowName, Row>> = {
  '200B': { kind: 'call', resultBytes: 200, concurrencies: BOTH },
  '64KB': { kind: 'call', resultBytes: 64 * KIB, concurrencies: BOTH },
  '900KB': { kind: 'call', resultBytes: 900 * KIB, concurrencies: BOTH },
  // Few, because the relay holds each result whole.
  '10MiB': { kind: 'call', resultBytes: 10 * KIB * KIB, concurrencies: [1, 4], sampleFactor: 4 },
  prompt: { kind: 'prompt', resultBytes: 200, concurrencies: BOTH },
  progress: { kind: 'progress', resultBytes: 200, concurrencies: BOTH },
}
export const rowNames = Object.keys(rows) as RowName[]

/** Notifications before the result of a `progress` call. */
export const NOTIFICATIONS = 10

/** Number of JSON-RPC messages that answer a request of this row. */
export function messagesOf({ kind }: Row): number {
  return kind === 'progress' ? NOTIFICATIONS + 1 : 1
}
