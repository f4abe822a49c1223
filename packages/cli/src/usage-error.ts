/** The command was written wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly code = 'usage'
  readonly next: string

  constructor(message: string, next: string) {
    super(message)
    this.next = next
  }
}
