import { hash } from 'node:crypto'

/** End of a chain: the number of its last line, and the hash that the next line continues. */
export interface Head {
  readonly seq: number
  readonly hash: string
}

/** Head before the first line. */
export const START: Head = { seq: 0, hash: '0'.repeat(64) }

/** Length of `,"hash":"`, 64 digits and `"}`. */
const CLOSING_CHARS = 75
const HASH = /^[0-9a-f]{64}$/
const SEQ = /^[1-9]\d{0,15}$/

/** A parsed line: the text that its hash covers, its number and its hash. */
export interface ChainedLine extends Head {
  /** From the first brace to the last digit of `seq`. */
  readonly covered: string
}

/** SHA-256 in hex over the hash of the line before (64 zeros before the first) and the covered text. */
export function linkHash(previous: string, covered: string): string {
  return hash('sha256', previous + covered, 'hex')
}

/** Completes a line with its number, its hash and a line feed. Also returns the head after it. */
export function chained(before: Head, body: string): { readonly line: string; readonly head: Head } {
  const seq = before.seq + 1
  const covered = `${body},"seq":${seq}`
  const digest = linkHash(before.hash, covered)
  return { line: `${covered},"hash":"${digest}"}\n`, head: { seq, hash: digest } }
}

/** Parses a line without its line feed; `undefined` if it is not part of a chain. */
export function parseLine(line: string): ChainedLine | undefined {
  const covered = line.slice(0, -CLOSING_CHARS)
  const closing = line.slice(-CLOSING_CHARS)
  if (!closing.startsWith(',"hash":"') || !closing.endsWith('"}')) return undefined
  const digest = closing.slice(9, -2)
  const label = covered.lastIndexOf(',"seq":')
  const seq = covered.slice(label + 7)
  if (label === -1 || !SEQ.test(seq) || !HASH.test(digest) || !covered.startsWith('{')) return undefined
  return { covered, seq: Number(seq), hash: digest }
}
