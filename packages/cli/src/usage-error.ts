const EXIT_CODES = {
  usage: 1,
  token_missing: 1,
  url_missing: 2,
  already_running: 3,
  interrupted: 130,
} as const

/** The command cannot begin as it was typed, or its user stopped it at a prompt. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly code: keyof typeof EXIT_CODES
  readonly next: string

  constructor(message: string, next: string, code: UsageError['code'] = 'usage') {
    super(message)
    this.code = code
    this.next = next
  }

  /** As in shells: 2 if the command lacks a required argument, 130 for Ctrl-C. The README lists all. */
  get exitCode(): number {
    return EXIT_CODES[this.code]
  }
}
