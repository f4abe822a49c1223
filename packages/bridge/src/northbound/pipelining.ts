import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Limit of requests on one socket behind an unanswered one. Usual clients send none. */
export const MAX_PIPELINED = 8

const queued = new WeakMap<Socket, number>()
const cut = new WeakSet<Socket>()

/**
 * [HTTP.6] Closes a socket with too many requests behind an unanswered one: each would be held with its
 * answer. Call it once for each request, synchronously.
 */
export function boundPipelining({ socket }: IncomingMessage, response: ServerResponse): void {
  // Node assigns a socket to a response when its turn comes, usually at once.
  if (response.socket !== null) return
  const waiting = (queued.get(socket) ?? 0) + 1
  if (waiting > MAX_PIPELINED) {
    cut.add(socket)
    socket.destroy()
    return
  }
  queued.set(socket, waiting)
  response.once('finish', () => queued.set(socket, (queued.get(socket) ?? 1) - 1))
}

/** Whether the request was read from a socket that has been cut: a parser finishes the chunk that it has. */
export function isCut({ socket }: IncomingMessage): boolean {
  return socket.destroyed && cut.has(socket)
}
