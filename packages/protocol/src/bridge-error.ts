import { codes, type ErrorCode } from './codes.ts'

export interface BridgeErrorOptions extends ErrorOptions {
  /** Whole seconds after which a retry may succeed. */
  readonly retryAfterSeconds?: number | undefined
}

/**
 * A failure with a stable code. `detail` adds what the code's own text cannot know. If a peer's detail
 * already starts with that text, it is not repeated.
 */
export class BridgeError extends Error {
  override readonly name = 'BridgeError'
  readonly code: ErrorCode
  readonly next: string
  readonly retryAfterSeconds: number | undefined

  constructor(code: ErrorCode, detail?: string, options?: BridgeErrorOptions) {
    super(withDetail(codes[code].message, detail), options)
    this.code = code
    this.next = codes[code].next
    this.retryAfterSeconds = options?.retryAfterSeconds
  }
}

function withDetail(message: string, detail: string | undefined): string {
  if (detail === undefined || detail === '') return message
  return detail.startsWith(message) ? detail : `${message} ${detail}`
}
