import type { RequestFacts } from './request-facts.ts'
import { allow, deny, type Verdict } from './verdict.ts'

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
export function credentialGate(
  sources: Pick<RequestFacts, 'url' | 'authorization' | 'cookie'>,
): Verdict<string> {
  if (URL_TOKEN.test(sources.url)) return deny('token_in_url')

  const cookies = cookieValues(sources.cookie)
  if (sources.authorization.length + cookies.length > 1) return deny('token_ambiguous')
  const [header] = sources.authorization
  if (header !== undefined) return bearerToken(header)
  const [cookie = ''] = cookies
  return cookie === '' ? deny('token_missing') : allow(cookie)
}

function bearerToken(header: string): Verdict<string> {
  const token = BEARER.exec(header)?.[1]
  return token === undefined
    ? deny('token_invalid', 'The Authorization header is not "Bearer <token>".')
    : allow(token)
}

function cookieValues(headers: readonly string[]): string[] {
  return headers
    .flatMap((header) => header.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${COOKIE_NAME}=`))
    .map((pair) => pair.slice(COOKIE_NAME.length + 1))
}
