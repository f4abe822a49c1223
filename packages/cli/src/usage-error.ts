/** The command was written wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly code: 'usage' | 'token_missing' | 'rights_unsafe'
  readonly next: string

  constructor(message: string, next: string, code: UsageError['code'] = 'usage') {
    super(message)
    this.code = code
    this.next = next
  }
}
