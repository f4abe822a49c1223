import type { Key } from 'node:readline'
import { text } from 'node:stream/consumers'
import { UsageError } from './usage-error.ts'

export interface PasswordOptions {
  /** Whether it is the first line of standard input. */
  readonly passwordStdin?: boolean
}

/**
 * Reads a new password: from standard input if requested, otherwise typed twice at a terminal without echo.
 * Never from the command line, which every account of the machine may read.
 * @param check throws if the password is refused; called before the user types it again
 * @param prompt shown at the terminal
 * @returns `undefined` if there is neither, or nothing was typed
 * @throws UsageError, and whatever `check` throws
 */
export async function newPassword(
  { passwordStdin }: PasswordOptions,
  check: (password: string) => void,
  prompt = 'Password:',
): Promise<string | undefined> {
  if (passwordStdin === true) {
    const [line = ''] = (await text(process.stdin)).split(/\r?\n/)
    if (line === '') throw new UsageError('Standard input is empty.', 'Write the password as its first line.')
    check(line)
    return line
  }
  if (!process.stdin.isTTY) return undefined
  const password = await typed(prompt)
  if (password === '') return undefined
  check(password)
  if ((await typed('Repeat the password:')) === password) return password
  throw new UsageError('The two passwords differ.', 'Try again.')
}

/**
 * Reads a line from the terminal, without showing it.
 * @throws UsageError `interrupted` on Ctrl-C, `usage` on Ctrl-D
 */
async function typed(message: string): Promise<string> {
  // Loaded only here: no other command prompts.
  const { default: prompt } = await import('@inquirer/password')
  const { stdin, stderr } = process
  const stop = new AbortController()
  const take = (_text: unknown, { ctrl, name }: Key): void => {
    if (ctrl === true && name === 'd') stop.abort()
  }
  stdin.on('keypress', take)
  try {
    return await prompt({ message, toggleMask: false }, { output: stderr, signal: stop.signal })
  } catch {
    throw new UsageError('Nothing was changed.', 'Try again.', stop.signal.aborted ? 'usage' : 'interrupted')
  } finally {
    stdin.off('keypress', take)
  }
}
