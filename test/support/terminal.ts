import { spawn } from 'node:child_process'
import { atEnd } from './at-end.ts'

/**
 * Runs a shell command at a terminal and answers what it asks: each text to wait for, and the keys to press then.
 * @returns what the terminal showed
 */
export function atTerminal(
  command: string,
  answers: readonly (readonly [string, string])[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const terminal = spawn('script', ['-qec', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, ...env },
  })
  atEnd(async () => void terminal.kill())
  const waiting = [...answers]
  let shown = ''
  let seen = 0
  terminal.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    shown += chunk
    const [next] = waiting
    const at = next === undefined ? -1 : shown.indexOf(next[0], seen)
    if (next === undefined || at < 0) return
    seen = at + next[0].length
    waiting.shift()
    terminal.stdin.write(next[1])
  })
  return new Promise((resolve) => terminal.on('close', () => resolve(shown)))
}
