import { codes, type ErrorCode } from './codes.ts'

export interface BridgeErrorOptions extends ErrorOptions {
  /** Whole seconds after which trying again may help. */
  readonly retryAfterSeconds?: number | undefined
}

/** A failure with a stable code. `detail` says what the code's own text cannot know. */
export class BridgeError extends Error {
  override readonly name = 'BridgeError'
  readonly code: ErrorCode
  readonly next: string
  readonly retryAfterSeconds: number | undefined

  constructor(code: ErrorCode, detail?: string, options?: BridgeErrorOptions) {
    super(detail === undefined ? codes[code].message : `${codes[code].message} ${detail}`, options)
    this.code = code
    this.next = codes[code].next
    this.retryAfterSeconds = options?.retryAfterSeconds
  }
}
