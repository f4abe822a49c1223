import { IncomingMessage } from 'node:http'
import { mediaType, readSmallBody } from '../web/form-body.ts'
import { reduceRegistration } from './client-metadata.ts'
import { ROUTES } from './oidc-provider.ts'
import { canonicalClient, canonicalParameters, hasParameters, parametersIn } from './parameters.ts'
import { codeDigits } from './user-code.ts'

const FORM_TYPE = 'application/x-www-form-urlencoded'
const JSON_TYPE = 'application/json'

/** Paths at which clients authenticate. */
const WITH_CLIENT: readonly string[] = [ROUTES.token, ROUTES.revocation, ROUTES.device_authorization]

/**
 * Rewrites what clients write in many ways to the one way that the library reads.
 *
 * @param path of the request, canonical
 * @param names of the bridge, the issuer first
 * @returns the request, or a copy of it with another body; `undefined` if its body is too large
 */
export async function canonicalRequest(
  request: IncomingMessage,
  path: string,
  names: readonly string[],
): Promise<IncomingMessage | undefined> {
  const rewrite = (text: string): string => {
    const parameters = new URLSearchParams(text)
    if (hasParameters(path)) canonicalParameters(path, parameters, names)
    if (WITH_CLIENT.includes(path)) canonicalClient(request.headers, parameters)
    return parameters.toString()
  }
  const { method, url = '' } = request
  if (path === ROUTES.authorization && method === 'GET') {
    request.url = `${path}?${rewrite(url.slice(path.length + 1))}`
    return request
  }
  if (method !== 'POST') return request
  const type = mediaType(request) || usualType(path)
  if (path === ROUTES.registration && type === JSON_TYPE)
    return rewritten(request, reduceRegistration, JSON_TYPE)
  if (WITH_CLIENT.includes(path) && type === JSON_TYPE) {
    const asForm = (text: string): string | undefined => {
      const parameters = parametersIn(text)
      return parameters && rewrite(parameters.toString())
    }
    return rewritten(request, asForm, FORM_TYPE)
  }
  const isForm = type === FORM_TYPE
  if (path === ROUTES.code_verification && isForm) return rewritten(request, withCodeDigits, FORM_TYPE)
  const isRewritten = hasParameters(path) || WITH_CLIENT.includes(path)
  return isForm && isRewritten ? rewritten(request, rewrite, FORM_TYPE) : request
}

/** [OAUTH.31] Type of a body whose client names none. Pages of other origins need no preflight for such a request. */
function usualType(path: string): string | undefined {
  if (path === ROUTES.registration) return JSON_TYPE
  return WITH_CLIENT.includes(path) ? FORM_TYPE : undefined
}

/**
 * [OAUTH.28] Replaces the words by the library's code, which has no `-`. Keeps a second code, to be refused.
 */
function withCodeDigits(text: string): string {
  const fields = new URLSearchParams()
  for (const [name, value] of new URLSearchParams(text))
    fields.append(name, name === 'user_code' && value !== '' ? (codeDigits(value) ?? '-') : value)
  return fields.toString()
}

/**
 * A copy of a request with another body.
 * @param rewrite returns `undefined` for a body that stays as it is
 * @param type of the other body
 */
async function rewritten(
  request: IncomingMessage,
  rewrite: (body: string) => string | undefined,
  type: string,
): Promise<IncomingMessage | undefined> {
  const received = await readSmallBody(request)
  if (received === undefined) return undefined
  const other = rewrite(received.replace(/^\uFEFF/, ''))
  const body = other ?? received
  const copy = new IncomingMessage(request.socket)
  const { method, url, httpVersion, headers } = request
  const { 'transfer-encoding': _, ...others } = headers
  const own = {
    'content-type': other === undefined ? mediaType(request) || type : type,
    'content-length': String(Buffer.byteLength(body)),
  }
  Object.assign(copy, { method, url, httpVersion, headers: { ...others, ...own }, complete: true })
  copy.push(body)
  copy.push(null)
  return copy
}
