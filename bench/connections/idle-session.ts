import { get } from 'node:http'
import type { WebSocket } from 'ws'
import { endFrame, INITIALIZED } from '../frames.ts'
import { beginSession, headersOf } from '../request.ts'

/** An exchange that the bridge opens at an agent of the crowd. */
export interface OpenedExchange {
  readonly type: 'open'
  readonly id: string
  /** Missing for a reader of the session's messages. */
  readonly message?: { readonly id: unknown }
}

/** Answers for the local server of an agent: begins sessions, and never sends a message to their readers. */
export function answerOpen(socket: WebSocket, { id, message }: OpenedExchange): void {
  socket.send(`{"type":"accepted","id":"${id}"}`)
  if (message !== undefined) socket.send(endFrame(id, message.id, INITIALIZED))
}

let held = 0

/** Number of sessions of this process whose stream is open. */
export function heldSessions(): number {
  return held
}

/** Begins an MCP session and leaves it idle, with its stream open, as the official clients do. */
export async function holdSession(port: number, token: string): Promise<void> {
  const address = { port, token }
  const session = await beginSession(address)
  const headers = { ...headersOf(address, session), accept: 'text/event-stream' }
  await new Promise<void>((resolve, reject) => {
    const url = `http://127.0.0.1:${port}/mcp/bench`
    get(url, { agent: false, headers }, (response) => {
      if (response.statusCode !== 200) return reject(new Error(`no stream: ${response.statusCode}`))
      held++
      response.on('close', () => held--).resume()
      resolve()
    }).on('error', reject)
  })
}
