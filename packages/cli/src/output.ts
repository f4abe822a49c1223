import { stripVTControlCharacters } from 'node:util'
import { hint } from './hints.ts'
import type { CommandName, Printed } from './json/shapes.ts'
import { print } from './stdout.ts'
import { tableLines } from './table.ts'

/** A failure, as every error of the product is shown. */
export interface Failure {
  readonly code: string
  readonly message: string
  readonly next?: string
}

/** Characters that a terminal would act on, or hide; `JSON.stringify` leaves some of them. */
const NOT_TEXT = /[^\P{C}\t\n]|[\u2028\u2029]/gu

/** Prints one JSON value on its own line. */
function printJson(value: unknown): void {
  print(`${jsonText(value)}\n`)
}

/** JSON in which everything is escaped that a terminal would act on. Parses to the same value. */
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

/**
 * Prints a text of ours with its commands as the user can type them. The caller must sanitize text from
 * outside first.
 */
export function printHint(text: string): void {
  printLine(hint(text))
}

/** Prints what a command prints with `--json`: see docs/json-output.md. */
export function printAs<C extends CommandName>(_command: C, value: Printed<C>): void {
  printJson(value)
}

/** Prints rows with their columns aligned. Nothing is cut. */
export function printTable(rows: readonly (readonly string[])[]): void {
  for (const line of tableLines(rows)) printLine(line)
}

/** Prints a list that fits the terminal; columns are cut with an ellipsis. In a pipe nothing is cut. */
export function printList(rows: readonly (readonly string[])[]): void {
  for (const line of tableLines(rows, terminalWidth(process.stdout, process.env.COLUMNS))) printLine(line)
}

/**
 * Cells of a line: `COLUMNS`, or the width of the terminal.
 * @returns `undefined` if output is not a terminal, or is one that reports no width or 0
 */
export function terminalWidth(
  { isTTY, columns }: { readonly isTTY?: boolean; readonly columns?: number },
  given: string | undefined,
): number | undefined {
  if (isTTY !== true) return undefined
  if (/^[1-9]\d{0,4}$/.test(given ?? '')) return Number(given)
  return columns === 0 ? undefined : columns
}

/**
 * Text that came from outside, fit for a terminal: no escape sequences, no control characters (C0 and
 * C1) but tab and line feed, and no bidi, other format or line separator characters.
 */
export function forTerminal(text: string): string {
  return stripVTControlCharacters(text).replaceAll(NOT_TEXT, '')
}

/** Reports a failure, its code and the next step: on standard error, or as JSON on standard output. */
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
  return { code, message: error.message, ...(next !== undefined && { next: hint(next) }) }
}
