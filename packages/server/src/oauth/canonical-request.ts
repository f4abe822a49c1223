import { IncomingMessage } from 'node:http'
import { mediaType, readSmallBody } from '../accounts/form-body.ts'
import { reduceRegistration } from './client-metadata.ts'
import { ROUTES } from './provider.ts'

/**
 * Rewrites what clients write in many ways to the one way that the library reads.
 *
 * @param path canonical
 * @returns the request, or a copy of it with another body; `undefined` if its body is too large
 */
export async function canonicalRequest(
  request: IncomingMessage,
  path: string,
): Promise<IncomingMessage | undefined> {
  if (path !== ROUTES.registration || mediaType(request) !== 'application/json') return request
  const body = await readSmallBody(request)
  return body === undefined ? undefined : withBody(request, reduceRegistration(body))
}

/** A copy of a request whose body was read. */
function withBody(request: IncomingMessage, body: string): IncomingMessage {
  const copy = new IncomingMessage(request.socket)
  const { method, url, httpVersion, headers } = request
  const { 'transfer-encoding': _, ...others } = headers
  const own = { 'content-type': mediaType(request), 'content-length': String(Buffer.byteLength(body)) }
  Object.assign(copy, { method, url, httpVersion, headers: { ...others, ...own }, complete: true })
  copy.push(body)
  copy.push(null)
  return copy
}
