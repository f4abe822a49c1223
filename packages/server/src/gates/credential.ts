import { allow, deny, type Verdict } from './verdict.ts'

/** The parts of a request that may carry a token, each header with all its occurrences. */
export interface CredentialSources {
  /** Path and query, as received. */
  readonly url: string
  readonly authorization: readonly string[]
  readonly cookie: readonly string[]
}

const BEARER = /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i
const COOKIE_NAME = 'accessToken'
const URL_TOKEN = /[?&](?:access_?token|token|jwt|auth|authorization|bearer)=/i

/**
 * Layer 2, first half: finds the one token of a request.
 *
 * Threat: a token leaks through a URL, or two parsers pick different ones of two tokens.
 * Rules: [AUTH.1] never in the URL, [AUTH.2] one and only one, [AUTH.3] bearer or the cookie.
 * Source: RFC 6750 sections 2.1 and 5.3, RFC 6265 section 5.4.
 * Not checked here: whether the token is valid.
 */
export function credentialGate(sources: CredentialSources): Verdict<string> {
  if (URL_TOKEN.test(sources.url)) return deny('token_in_url')

  const cookies = cookieValues(sources.cookie)
  const found = sources.authorization.length + cookies.length
  if (found === 0) return deny('token_missing')
  if (found > 1) return deny('token_ambiguous')

  const cookie = cookies[0]
  if (cookie !== undefined) return cookie === '' ? deny('token_missing') : allow(cookie)

  const bearer = BEARER.exec(sources.authorization[0] ?? '')?.[1]
  return bearer === undefined
    ? deny('token_invalid', 'The Authorization header is not "Bearer <token>".')
    : allow(bearer)
}

function cookieValues(headers: readonly string[]): string[] {
  return headers
    .flatMap((header) => header.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${COOKIE_NAME}=`))
    .map((pair) => pair.slice(COOKIE_NAME.length + 1))
}

/**
 * The parts of this request that may carry a token. Read from the raw headers: Node's `headers` drops
 * what came twice, and its `headersDistinct` builds every header anew for each request.
 */
export function credentialSources(request: {
  readonly url?: string | undefined
  readonly rawHeaders: readonly string[]
}): CredentialSources {
  const authorization: string[] = []
  const cookie: string[] = []
  const { rawHeaders } = request
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? ''
    if (name.length === 13 && name.toLowerCase() === 'authorization')
      authorization.push(rawHeaders[at + 1] ?? '')
    else if (name.length === 6 && name.toLowerCase() === 'cookie') cookie.push(rawHeaders[at + 1] ?? '')
  }
  return { url: request.url ?? '', authorization, cookie }
}
