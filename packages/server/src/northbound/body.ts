import type { IncomingMessage } from 'node:http'
import { limits } from '@bridgekeeper/protocol'

/**
 * Reads a request's body, never more than `limits.messageBytes`.
 * @param done gets it once, `undefined` when it is larger; never called when the client goes away before
 */
export function readBody(request: IncomingMessage, done: (body: Buffer | undefined) => void): void {
  if (Number(request.headers['content-length']) > limits.messageBytes) return done(undefined)
  const chunks: Buffer[] = []
  let sizeBytes = 0
  request.on('data', (chunk: Buffer) => {
    if (sizeBytes > limits.messageBytes) return
    sizeBytes += chunk.length
    if (sizeBytes > limits.messageBytes) done(undefined)
    else chunks.push(chunk)
  })
  request.on('end', () => {
    if (sizeBytes > limits.messageBytes) return
    const [first] = chunks
    done(first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks))
  })
  // An error is that the client goes away, and its response is closed with it.
  request.on('error', () => {})
}
