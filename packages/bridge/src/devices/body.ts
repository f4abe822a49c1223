import type { IncomingMessage } from 'node:http'

/** Two tokens of the greatest length, and what stands around them. */
export const MAX_BYTES = 20_480

/**
 * Reads a request's body as text.
 * @returns `undefined` when it is larger than anything that machines send; rejects when the client goes away
 */
export async function readSmallBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > MAX_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
