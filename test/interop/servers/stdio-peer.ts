import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import type { Entry } from './published.ts'
import type { Answer, Peer } from './survey.ts'

/** Starts a server, and speaks JSON-RPC with it over stdio by hand. Refuses what it asks. */
export function stdioPeer({ command, args, env, cwd }: Entry): Peer {
  const { PATH = '' } = process.env
  const child = spawn(command, [...args], { cwd, env: { PATH, ...env }, stdio: ['pipe', 'pipe', 'ignore'] })
  const waiting = new Map<number, (answer: Answer) => void>()
  const send = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  child.stdin.on('error', () => {})
  onLine(child.stdout, (line) => {
    const message = parsed(line)
    if (message?.method !== undefined && message.id !== undefined) {
      send({ id: message.id, error: { code: -32601, message: 'Method not found' } })
    }
    if (message !== undefined && message.method === undefined) waiting.get(message.id)?.(message)
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  let lastId = 0
  return {
    request(method, params) {
      const id = ++lastId
      send({ id, method, ...(params && { params }) })
      return new Promise((resolve, reject) => {
        waiting.set(id, resolve)
        void ended.then(() => reject(new Error('the server has ended')))
      })
    },
    async notify(method) {
      send({ method })
    },
    async close() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Splits at line feeds only; `node:readline` would also split at U+2028. */
function onLine(input: Readable, receive: (line: string) => void): void {
  let rest = ''
  input.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) receive(line)
  })
}

// biome-ignore lint/suspicious/noExplicitAny: a message of any shape
function parsed(line: string): any {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
