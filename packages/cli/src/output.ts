import { stripVTControlCharacters } from 'node:util'
import { print } from './stdout.ts'

/** What went wrong, as every error of the product tells it. */
export interface Failure {
  readonly code: string
  readonly message: string
  readonly next?: string
}

/** What a terminal would act upon, or not show; some of it is plain text to `JSON.stringify`. */
const NOT_TEXT = /[^\P{C}\t\n]|[\u2028\u2029]/gu

/** Prints one JSON value on a line of its own. */
export function printJson(value: unknown): void {
  print(`${jsonText(value)}\n`)
}

/** JSON with everything escaped that a terminal would act upon: the same value to whoever parses it. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replaceAll(NOT_TEXT, escaped)
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i))
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}

export function printLine(text = ''): void {
  print(`${text}\n`)
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
 * Text that came from outside, fit for a terminal: no escape sequences, no control characters (C0 and
 * C1) but tab and line feed, and no bidi, other format or line separator characters.
 */
export function forTerminal(text: string): string {
  return stripVTControlCharacters(text).replaceAll(NOT_TEXT, '')
}

/** Says what failed, its code, and what to do next: on standard error, or as JSON on standard output. */
export function reportFailure(error: unknown, json: boolean): void {
  const failure = toFailure(error)
  if (json) return printJson({ error: failure })
  process.stderr.write(`${failureText(failure)}\n`)
}

/** The lines that tell a person of a failure. */
export function failureText({ code, message, next }: Failure): string {
  const lines = [`error: ${message}`, `code:  ${code}`, ...(next === undefined ? [] : [`next:  ${next}`])]
  return lines.map(forTerminal).join('\n')
}

function toFailure(error: unknown): Failure {
  if (!(error instanceof Error)) return { code: 'internal_error', message: String(error) }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'internal_error'
  const next = 'next' in error && typeof error.next === 'string' ? error.next : undefined
  return { code, message: error.message, ...(next !== undefined && { next }) }
}
