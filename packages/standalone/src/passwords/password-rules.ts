import { createRequire } from 'node:module'

/**
 * Rules for a password: 12 to 128 characters of any kind, and not a common one. Source: NIST SP 800-63B-4
 * section 3.1.1.2: length and a list, no rules of composition.
 */
const MIN_CHARS = 12
const MAX_CHARS = 128

/** Common passwords that such lists lack. */
const ALSO_COMMON = [
  'correcthorsebatterystaple',
  'p@ssw0rd',
  'passw0rd',
  'password@',
  'qwertyqwerty',
  'qwertyuiopas',
]
/** Characters around a common password that do not make it another one. */
const MAX_ADDED_CHARS = 5

const require = createRequire(import.meta.url)
let common: ReadonlySet<string> | undefined

/** The 49,000 most used passwords of leaks, normalised. Loaded when the first password is set. */
function commonPasswords(): ReadonlySet<string> {
  if (common !== undefined) return common
  const { dictionary } = require('@zxcvbn-ts/language-common') as typeof import('@zxcvbn-ts/language-common')
  const texts = [...dictionary['passwords-common'], ...ALSO_COMMON]
    .map((text) => normalPassword(String(text)).toLowerCase())
    .filter((text) => text.length >= MIN_CHARS - MAX_ADDED_CHARS)
  common = new Set(texts)
  return common
}

/** Counting up or down, or along the keyboard. */
const RUNS = ['0123456789'.repeat(13), '9876543210'.repeat(13), 'abcdefghijklmnopqrstuvwxyz'.repeat(5)]
/** Matches one to four characters repeated. */
const REPEATED = /^(.{1,4})\1+.{0,3}$/su

/** Normalizes a password before hashing, so that the same text typed on another system matches. */
export function normalPassword(password: string): string {
  return password.normalize('NFKC')
}

/** The problem with a password, as a sentence; `undefined` if it is acceptable. */
export function passwordProblem(password: string, email: string): string | undefined {
  const normal = normalPassword(password)
  const chars = [...normal].length
  if (chars < MIN_CHARS) return `Use at least ${MIN_CHARS} characters; a few words in a row are fine.`
  if (chars > MAX_CHARS) return `Use at most ${MAX_CHARS} characters.`
  return isObvious(normal.toLowerCase(), email.toLowerCase())
    ? 'This password is too common. Choose another.'
    : undefined
}

function isObvious(password: string, email: string): boolean {
  const [name = ''] = email.split('@')
  if (REPEATED.test(password) || password === email) return true
  if (RUNS.some((run) => run.includes(password))) return true
  const half = password.slice(0, password.length / 2)
  if (half.repeat(2) === password && commonPasswords().has(half)) return true
  const words = new Set(['bridgekeeper', name])
  return coresOf(password).some((core) => words.has(core) || commonPasswords().has(core))
}

/** The password without up to five characters at its ends. */
function coresOf(password: string): readonly string[] {
  const counts = Array.from({ length: MAX_ADDED_CHARS + 1 }, (_, count) => count)
  return counts.flatMap((before) =>
    counts
      .filter((after) => before + after <= MAX_ADDED_CHARS)
      .map((after) => password.slice(before, password.length - after)),
  )
}
