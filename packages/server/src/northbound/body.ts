import type { IncomingMessage } from 'node:http'
import { limits } from '@bridgekeeper/protocol'

/**
 * Reads a request's body, never more than `limits.messageBytes`.
 * @param done gets it once, `undefined` when it is larger; never called when the client goes away before
 */
export function readBody(request: IncomingMessage, done: (body: Buffer | undefined) => void): void {
  const announcedBytes = announcedBytesOf(request)
  if (announcedBytes !== undefined && announcedBytes > limits.messageBytes) return done(undefined)
  const chunks: Buffer[] = []
  let sizeBytes = 0
  const finish = (): void => {
    const [first] = chunks
    done(first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks))
  }
  request.on('data', (chunk: Buffer) => {
    if (sizeBytes > limits.messageBytes) return
    sizeBytes += chunk.length
    if (sizeBytes > limits.messageBytes) return done(undefined)
    chunks.push(chunk)
    if (sizeBytes === announcedBytes) finish()
  })
  if (announcedBytes === undefined || announcedBytes === 0)
    request.on('end', () => {
      if (sizeBytes <= limits.messageBytes) finish()
    })
  // An error is that the client goes away, and its response is closed with it.
  request.on('error', () => {})
}

/** `undefined` where the end alone tells: a body in chunks has no other length (RFC 9112 section 6.3). */
function announcedBytesOf({ headers }: IncomingMessage): number | undefined {
  const { 'content-length': length, 'transfer-encoding': coding } = headers
  return length === undefined || coding !== undefined ? undefined : Number(length)
}
