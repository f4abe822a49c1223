import type { RequestFacts } from './request-facts.ts'
import { allow, deny, type Verdict } from './verdict.ts'

/** The token is visible ASCII: an app's own tokens may use more characters than RFC 6750 section 2.1 allows. */
const AUTHORIZATION = /^(?:Bearer|DPoP) +([!-~]+)$/i
const DPOP = /^DPoP /i
/** RFC 6265 section 4.1.1: a token of RFC 9110 section 5.6.2. */
const COOKIE_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
export const DEFAULT_COOKIE = 'accessToken'
const URL_TOKEN = /[?&](?:access_?token|token|jwt|auth|authorization|bearer)=/i

/**
 * Layer 2, first half: finds the one token of a request.
 *
 * Threat: a token leaks through a URL, or two parsers pick different ones of two tokens. Rules: [AUTH.1]
 * never in the URL, [AUTH.2] exactly one, [AUTH.3] bearer or the cookie, [EMBED.3] under the app's cookie
 * name. Source: RFC 6750 sections 2.1 and 5.3, RFC 9449 section 7.1, RFC 6265 section 5.4. Does not check
 * whether the token is valid, or may be used under that scheme.
 */
export function credentialGate(
  sources: Pick<RequestFacts, 'url' | 'authorization' | 'cookie'>,
  cookieName: string = DEFAULT_COOKIE,
): Verdict<string> {
  if (URL_TOKEN.test(sources.url)) return deny('token_in_url')

  const cookies = cookieValues(sources.cookie, cookieName)
  if (sources.authorization.length + cookies.length > 1) return deny('token_ambiguous')
  const [header] = sources.authorization
  if (header !== undefined) return bearerToken(header)
  const [cookie = ''] = cookies
  return cookie === '' ? deny('token_missing') : allow(cookie)
}

/** Whether the token came in a header, which no page can make a browser send. */
export function isSentInHeader({ authorization }: Pick<RequestFacts, 'authorization'>): boolean {
  return authorization.length > 0
}

/** Whether the token came under the scheme for key-bound tokens. */
export function isSentAsDpop({ authorization }: Pick<RequestFacts, 'authorization'>): boolean {
  return authorization.some((header) => DPOP.test(header))
}

function bearerToken(header: string): Verdict<string> {
  const token = AUTHORIZATION.exec(header)?.[1]
  return token === undefined
    ? deny('token_invalid', 'The Authorization header is not "Bearer <token>" or "DPoP <token>".')
    : allow(token)
}

/** Whether a cookie can have this name. */
export function isCookieName(name: string): boolean {
  return COOKIE_NAME.test(name)
}

function cookieValues(headers: readonly string[], name: string): readonly string[] {
  return headers
    .flatMap((header) => header.split(';'))
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1))
}
