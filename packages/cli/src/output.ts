import { stripVTControlCharacters } from 'node:util'

/** What went wrong, as every error of the product tells it. */
export interface Failure {
  readonly code: string
  readonly message: string
  readonly next?: string
}

/** Prints one JSON value on a line of its own. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

export function printLine(text = ''): void {
  process.stdout.write(`${text}\n`)
}

/** Prints rows with their columns aligned; with `cut`, lines end at the terminal's edge. */
export function printTable(rows: readonly (readonly string[])[], { cut = false } = {}): void {
  const columns = Math.max(0, ...rows.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, i) =>
    Math.max(...rows.map((row) => row[i]?.length ?? 0)),
  )
  const edge = cut ? (process.stdout.columns ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY
  for (const row of rows) {
    const line = row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')
    printLine(line.trimEnd().slice(0, edge))
  }
}

/**
 * Text that came from outside, fit for a terminal: no escape sequences, and no control characters
 * but tab and line feed.
 */
export function forTerminal(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/[^\P{C}\t\n]/gu, '')
}

/** Says what failed, its code, and what to do next: on standard error, or as JSON on standard output. */
export function reportFailure(error: unknown, json: boolean): void {
  const failure = toFailure(error)
  if (json) return printJson({ error: failure })
  process.stderr.write(`error: ${forTerminal(failure.message)}\n`)
  process.stderr.write(`code:  ${failure.code}\n`)
  if (failure.next !== undefined) process.stderr.write(`next:  ${forTerminal(failure.next)}\n`)
}

function toFailure(error: unknown): Failure {
  if (!(error instanceof Error)) return { code: 'internal_error', message: String(error) }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'internal_error'
  const next = 'next' in error && typeof error.next === 'string' ? error.next : undefined
  return { code, message: error.message, ...(next !== undefined && { next }) }
}
