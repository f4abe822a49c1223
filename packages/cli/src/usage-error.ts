/** The command was written wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly code: 'usage' | 'token_missing' | 'url_missing'
  readonly next: string

  constructor(message: string, next: string, code: UsageError['code'] = 'usage') {
    super(message)
    this.code = code
    this.next = next
  }

  /** 2 if the command lacks a required argument, as in shells; otherwise 1. */
  get exitCode(): number {
    return this.code === 'url_missing' ? 2 : 1
  }
}
