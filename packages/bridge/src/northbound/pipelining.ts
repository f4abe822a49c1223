import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Requests that may wait on one socket behind one that is not answered. No usual client sends any. */
export const MAX_PIPELINED = 8

const queued = new WeakMap<Socket, number>()
const cut = new WeakSet<Socket>()

/**
 * [HTTP.6] Cuts a socket on which too many requests wait behind one that is not answered: each would be held with
 * its answer. Call it once for each request, in the turn in which it came.
 */
export function boundPipelining({ socket }: IncomingMessage, response: ServerResponse): void {
  // Node gives a response its socket when its turn comes; nearly all have theirs at once.
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
