import type { IncomingMessage } from 'node:http'
import { limits } from '@bridgekeeper/protocol'

/**
 * Reads a request's body, never more than `limits.messageBytes`.
 * @param done receives it once, `undefined` if it is larger; never called if the client disconnects before
 */
export function readBody(request: IncomingMessage, done: (body: Buffer | undefined) => void): void {
  const announcedBytes = announcedBytesOf(request)
  if (announcedBytes !== undefined && announcedBytes > limits.messageBytes) return done(undefined)
  /** Received parts; `undefined` once `done` was called. */
  let chunks: Buffer[] | undefined = []
  let sizeBytes = 0
  const give = (body: Buffer | undefined): void => {
    chunks = undefined
    done(body)
  }
  request.on('data', (chunk: Buffer) => {
    if (chunks === undefined) return
    sizeBytes += chunk.length
    if (sizeBytes > limits.messageBytes) return give(undefined)
    chunks.push(chunk)
    // An event before the end.
    if (sizeBytes === announcedBytes) give(joined(chunks))
  })
  request.on('end', () => {
    if (chunks !== undefined) give(joined(chunks))
  })
  // An error means that the client has disconnected, and its response is closed too.
  request.on('error', () => {})
}

/** Memory that a request's body may take while it is read. */
export function bodyBoundBytes(request: IncomingMessage): number {
  const announcedBytes = announcedBytesOf(request)
  if (announcedBytes !== undefined) return Math.min(announcedBytes, limits.messageBytes)
  return request.headers['transfer-encoding'] === undefined ? 0 : limits.messageBytes
}

/** `undefined` where the end alone tells: a body in chunks has no other length (RFC 9112 section 6.3). */
function announcedBytesOf({ headers }: IncomingMessage): number | undefined {
  const { 'content-length': length, 'transfer-encoding': coding } = headers
  return length === undefined || coding !== undefined ? undefined : Number(length)
}

function joined(chunks: readonly Buffer[]): Buffer {
  const [first] = chunks
  return first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks)
}
