import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Site } from './site.ts'

export interface CookieOptions {
  readonly secure: boolean
  readonly maxAgeMs: number
  /** `strict`, unless another site has to lead back to us. */
  readonly sameSite?: 'Strict' | 'Lax'
}

/** The cookie's value; `undefined` where there is none, or more than one, of which two parsers could pick different ones. */
export function cookieOf(request: IncomingMessage, name: string): string | undefined {
  const values = (request.headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1))
  return values.length === 1 && values[0] !== '' ? values[0] : undefined
}

/** [LOGIN.2] No script reads it, and no other site makes a browser send it. Source: RFC 6265 section 4.1.2. */
export function setCookie(
  response: ServerResponse,
  name: string,
  value: string,
  { secure, maxAgeMs, sameSite = 'Strict' }: CookieOptions,
): void {
  const attributes = [
    `${name}=${value}`,
    'Path=/',
    `Max-Age=${Math.ceil(maxAgeMs / 1_000)}`,
    'HttpOnly',
    `SameSite=${sameSite}`,
    ...(secure ? ['Secure'] : []),
  ]
  response.appendHeader('Set-Cookie', attributes.join('; '))
}

export function clearCookie(response: ServerResponse, name: string, secure: boolean): void {
  setCookie(response, name, '', { secure, maxAgeMs: 0 })
}

/**
 * A cookie of the pages, which nobody else reads: over TLS it has a name that only this very host can set, and no
 * neighbour in its domain. Source: draft-ietf-httpbis-rfc6265bis section 4.1.3.2.
 */
export class PageCookie {
  readonly #name: string
  readonly #sameSite: 'Strict' | 'Lax'

  constructor(name: string, sameSite: 'Strict' | 'Lax' = 'Strict') {
    this.#name = name
    this.#sameSite = sameSite
  }

  /** `undefined` as `cookieOf` says. */
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
