import type { IncomingMessage } from 'node:http'
import { limits } from '@bridgekeeper/protocol'

/**
 * Reads a request's body, never more than `limits.messageBytes`.
 * @returns `undefined` when it is larger; rejects when the client goes away
 */
export function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(request.headers['content-length']) > limits.messageBytes) return Promise.resolve(undefined)
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let sizeBytes = 0
    request.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length
      if (sizeBytes > limits.messageBytes) return resolve(undefined)
      chunks.push(chunk)
    })
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)))
    request.on('error', reject)
    request.on('close', () => {
      if (!request.complete) reject(new Error('The client went away before its request was complete.'))
    })
  })
}
