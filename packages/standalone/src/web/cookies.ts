import type { IncomingMessage, ServerResponse } from 'node:http'
import { parseCookie, stringifySetCookie } from 'cookie'
import type { Site } from './site.ts'

export interface CookieOptions {
  readonly secure: boolean
  readonly maxAgeMs: number
  /** `strict`, unless another site must be able to lead back to us. */
  readonly sameSite?: 'strict' | 'lax'
}

/** Our tokens need no encoding. */
const asWritten = (value: string): string => value

/** The cookie's value; `undefined` if it is missing, empty or sent twice: two parsers could pick different ones. */
export function cookieOf(request: IncomingMessage, name: string): string | undefined {
  const values = (request.headers.cookie ?? '')
    .split(';')
    .map((pair) => parseCookie(pair, { decode: asWritten })[name])
    .filter((value) => value !== undefined)
  return values.length === 1 && values[0] !== '' ? values[0] : undefined
}

/**
 * [LOGIN.2] Sets a cookie that scripts cannot read and other sites cannot send. Source: RFC 6265 section
 * 4.1.2.
 * @throws TypeError if the value is not a cookie value
 */
export function setCookie(
  response: ServerResponse,
  name: string,
  value: string,
  { secure, maxAgeMs, sameSite = 'strict' }: CookieOptions,
): void {
  const maxAge = Math.ceil(maxAgeMs / 1_000)
  const cookie = { name, value, path: '/', maxAge, httpOnly: true, sameSite, secure }
  response.appendHeader('Set-Cookie', stringifySetCookie(cookie, { encode: asWritten }))
}

export function clearCookie(response: ServerResponse, name: string, secure: boolean): void {
  setCookie(response, name, '', { secure, maxAgeMs: 0 })
}

/**
 * A cookie of our pages. Over TLS its `__Host-` prefix keeps other hosts of the domain from setting it.
 * Source: draft-ietf-httpbis-rfc6265bis section 4.1.3.2.
 */
export class PageCookie {
  readonly #name: string
  readonly #sameSite: 'strict' | 'lax'

  constructor(name: string, sameSite: 'strict' | 'lax' = 'strict') {
    this.#name = name
    this.#sameSite = sameSite
  }

  /** Like `cookieOf`. */
  of(request: IncomingMessage, site: Site): string | undefined {
    return cookieOf(request, this.#nameAt(site))
  }

  set(response: ServerResponse, site: Site, value: string, maxAgeMs: number): void {
    setCookie(response, this.#nameAt(site), value, {
      secure: site.secure,
      maxAgeMs,
      sameSite: this.#sameSite,
    })
  }

  clear(response: ServerResponse, site: Site): void {
    clearCookie(response, this.#nameAt(site), site.secure)
  }

  #nameAt({ secure }: Site): string {
    return secure ? `__Host-${this.#name}` : this.#name
  }
}
