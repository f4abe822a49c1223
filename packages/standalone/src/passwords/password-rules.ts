/**
 * What a password may be: 12 to 128 characters, any of them, and not one that everybody tries first.
 * Source: NIST SP 800-63B-4 section 3.1.1.2: length and a list, no rules of composition.
 */
const MIN_CHARS = 12
const MAX_CHARS = 128

/** What guessing begins with, of those that are long enough; letter case aside. */
const COMMON: ReadonlySet<string> = new Set([
  '1q2w3e4r5t6y',
  '1q2w3e4r5t6y7u8i',
  '1qaz2wsx3edc',
  '1qaz2wsx3edc4rfv',
  'abcdefghijkl',
  'administrator',
  'admin123456789',
  'changemechangeme',
  'correcthorsebatterystaple',
  'iloveyouiloveyou',
  'letmeinletmein',
  'password1234',
  'password12345',
  'password123456',
  'password@1234',
  'passw0rd1234',
  'p@ssw0rd1234',
  'qwerty123456',
  'qwerty1234567',
  'qwertyqwerty',
  'qwertyuiop12',
  'qwertyuiop123',
  'qwertyuiop[]',
  'qwertyuiopasdf',
  'qwertyuiopasdfgh',
  'welcome12345',
  'welcome123456',
  'zaq12wsxcde3',
])

/** Counting up or down, or along the keyboard. */
const RUNS = ['0123456789'.repeat(13), '9876543210'.repeat(13), 'abcdefghijklmnopqrstuvwxyz'.repeat(5)]
/** One to four characters over and over. */
const REPEATED = /^(.{1,4})\1+.{0,3}$/su

/** As it is hashed: the same text typed on another system is the same password. */
export function normalPassword(password: string): string {
  return password.normalize('NFKC')
}

/** What is wrong with it, as a sentence; `undefined` for nothing. */
export function passwordProblem(password: string, email: string): string | undefined {
  const normal = normalPassword(password)
  const chars = [...normal].length
  if (chars < MIN_CHARS) return `Use at least ${MIN_CHARS} characters; a few words in a row are fine.`
  if (chars > MAX_CHARS) return `Use at most ${MAX_CHARS} characters.`
  return isObvious(normal.toLowerCase(), email.toLowerCase())
    ? 'This password is one of the first that anybody would try. Choose another.'
    : undefined
}

function isObvious(password: string, email: string): boolean {
  const [name = ''] = email.split('@')
  if (COMMON.has(password) || REPEATED.test(password) || password === email) return true
  if (RUNS.some((run) => run.includes(password))) return true
  // The product's or the user's own name with a few characters around it.
  return ['bridgekeeper', name].some(
    (word) => word.length >= 6 && password.includes(word) && password.length - word.length < 6,
  )
}
