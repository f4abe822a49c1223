import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { limits } from '@bridgekeeper/protocol'
import { type Denied, deny } from '../gates/verdict.ts'

const JSON_TYPE = /^application\/json\s*(?:;|$)/i
const CHARSET = /;\s*charset\s*=\s*["']?([^\s;"']*)/i
const UTF_8 = /^(?:utf-?8|(?:us-)?ascii|)$/i

/**
 * Reads a request's body.
 * @param maxBytes of any body, at least `limits.messageBytes`
 * @param reserve takes memory that `bodyBoundBytes` does not cover; returns the refusal, if any
 * @param done receives it once, or why it is refused; never called if the client disconnects before
 */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  reserve: (bytes: number) => Denied | undefined,
  done: (body: Buffer | Denied) => void,
): void {
  const announcedBytes = announcedBytesOf(request)
  if (announcedBytes !== undefined && announcedBytes > maxBytes) return done(deny('body_too_large'))
  let reservedBytes = Math.max(announcedBytes ?? 0, limits.messageBytes)
  const refused = reservedBytes > limits.messageBytes ? reserve(reservedBytes) : undefined
  if (refused !== undefined) return done(refused)
  /** Received parts; `undefined` once `done` was called. */
  let chunks: Buffer[] | undefined = []
  let sizeBytes = 0
  const give = (body: Buffer | Denied): void => {
    chunks = undefined
    done(body)
  }
  const reserveMore = (): Denied | undefined => {
    if (sizeBytes <= reservedBytes) return undefined
    if (sizeBytes > maxBytes) return deny('body_too_large')
    reservedBytes += limits.messageBytes
    return reserve(limits.messageBytes)
  }
  request.on('data', (chunk: Buffer) => {
    if (chunks === undefined) return
    sizeBytes += chunk.length
    const over = reserveMore()
    if (over !== undefined) return give(over)
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

/** Memory that a request's body of at most one message may take while it is read. */
export function bodyBoundBytes(request: IncomingMessage): number {
  const announcedBytes = announcedBytesOf(request)
  if (announcedBytes !== undefined) return announcedBytes > limits.messageBytes ? 0 : announcedBytes
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

/**
 * Refuses a body that is not JSON in UTF-8 as it is. A request without Content-Type is read as JSON.
 * Source: RFC 9110 sections 8.3, 8.4 and 15.5.16.
 */
export function bodyRefusal(headers: IncomingHttpHeaders): Denied | undefined {
  const { 'content-type': type, 'content-encoding': encoding } = headers
  if (encoding !== undefined && !/^\s*(?:identity)?\s*$/i.test(encoding))
    return deny('content_encoding_unsupported')
  // Most callers.
  if (type === 'application/json' || type === undefined || type === '') return undefined
  const isUtf8 = UTF_8.test(CHARSET.exec(type)?.[1] ?? '')
  return JSON_TYPE.test(type) && isUtf8 ? undefined : deny('content_type_unsupported')
}
