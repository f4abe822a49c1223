import { text } from 'node:stream/consumers'
import { UsageError } from './usage-error.ts'

const MAX_CHARS = 1_024

export interface PasswordOptions {
  /** Whether it is the first line of standard input. */
  readonly passwordStdin?: boolean
}

/**
 * A new password: from standard input where that was asked for, else typed twice at a terminal, unseen. Never from
 * the command line, which every account of the machine may read.
 * @returns `undefined` where there is neither, or nothing was typed
 * @throws UsageError
 */
export async function newPassword({ passwordStdin }: PasswordOptions): Promise<string | undefined> {
  if (passwordStdin === true) {
    const [line = ''] = (await text(process.stdin)).split(/\r?\n/)
    if (line !== '') return line
    throw new UsageError('Standard input has no password.', 'Give it as the first line.')
  }
  if (!process.stdin.isTTY) return undefined
  const password = await typed('Password (nothing for none): ')
  if (password === '') return undefined
  if ((await typed('Once more: ')) === password) return password
  throw new UsageError('The two passwords differ.', 'Try again.')
}

/** One line from the terminal, which does not show it. */
function typed(question: string): Promise<string> {
  const { stdin, stderr } = process
  // Before the question: who answers at once must not be shown either.
  stdin.setRawMode(true)
  stderr.write(question)
  stdin.setEncoding('utf8')
  return new Promise((resolve, reject) => {
    let line = ''
    const end = (): void => {
      stdin.off('data', take)
      stdin.setRawMode(false)
      stdin.pause()
      stderr.write('\n')
    }
    const take = (chunk: string): void => {
      for (const key of chunk) {
        if (key === '\r' || key === '\n' || key === '\u0004') {
          end()
          return resolve(line)
        }
        if (key === '\u0003') {
          end()
          return reject(new UsageError('Nothing was changed.', 'Try again.'))
        }
        if (key === '\u007f' || key === '\b') line = [...line].slice(0, -1).join('')
        else if (key >= ' ' && line.length < MAX_CHARS) line += key
      }
    }
    stdin.on('data', take)
    stdin.resume()
  })
}
