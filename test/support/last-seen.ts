import { type TestContext, TestRunner } from 'vitest'

/** A busy machine takes long. What never comes still fails before the test's own limit. */
const WAIT_MS = 20_000
/** Helpers that a failed test shows, the newest first. */
const MOST_SHOWN = 6
const MOST_CHARS = 2_000

type Seen = () => string | Promise<string>

interface Watched {
  readonly name: string
  readonly seen: Seen
  /** The test that made the helper; `undefined` for one of the whole file. */
  readonly test: unknown
}

let watched: Watched[] = []

/** Adds to the error of a failed test what its helpers saw last; each-file.ts calls it before anything is closed. */
export async function explainFailure({ task }: Pick<TestContext, 'task'>): Promise<void> {
  const ofTest = watched.filter(({ test }) => test === undefined || test === task)
  watched = watched.filter(({ test }) => test === undefined)
  const [error] = task.result?.errors ?? []
  if (error === undefined || ofTest.length === 0) return
  const shown = ofTest.slice(-MOST_SHOWN).reverse()
  for (const { name, seen } of shown) error.message += `\n── ${name} last saw:\n${await textOf(seen)}`
  if (ofTest.length > shown.length) error.message += `\n── and ${ofTest.length - shown.length} more helpers`
}

/** Forgets the helpers of a test file; each-file.ts calls it after the file's last test. */
export function forgetHelpers(): void {
  watched = []
}

/** If the test fails, also by its time limit, its error shows what this helper saw last. */
export function showOnFailure(name: string, seen: Seen): void {
  watched.push({ name, seen, test: TestRunner.getCurrentTest() })
}

// Kept from the time before a test fakes timers.
const { setTimeout, clearTimeout } = globalThis

/**
 * Waits for a promise, within a limit.
 * @param what is waited for, as the error names it
 * @throws Error with what was seen last, if it takes too long
 */
export async function within<T>(
  awaited: Promise<T>,
  what: string,
  seen: Seen,
  limitMs = WAIT_MS,
): Promise<T> {
  const test = TestRunner.getCurrentTest()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), limitMs).unref()
  })
  try {
    const result = await Promise.race([awaited.then((value) => ({ value })), late])
    if (result !== 'late') return result.value
  } finally {
    clearTimeout(timer)
  }
  // A test that is over waits for nothing more: an error would hit the next one.
  if (test !== TestRunner.getCurrentTest()) return new Promise(() => {})
  throw new Error(`No ${what} within ${limitMs} ms. Last seen:\n${await textOf(seen)}`)
}

/** The last lines of a text, such as the output of a program. */
export function lastLines(text: string, count = 20): string {
  return text.trimEnd().split('\n').slice(-count).join('\n')
}

/** Replaces what may be a secret: values in a query, and long texts of letters and digits, such as tokens and keys. */
function withoutSecrets(text: string): string {
  return text
    .replaceAll(/([?&][^\s=&#]+=)[^\s&#]+/g, '$1…')
    .replaceAll(/(?=[\w.-]*\d)[\w.-]{20,}/g, (secret) => `${secret.slice(0, 4)}…`)
}

async function textOf(seen: Seen): Promise<string> {
  try {
    const text = withoutSecrets(await seen())
    return text === '' ? '(nothing)' : text.slice(-MOST_CHARS)
  } catch (error) {
    return `(unknown: ${error})`
  }
}
