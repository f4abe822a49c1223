import { createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Site } from './site.ts'

/** Name of the field, and of the header for requests of a script. */
export const FORM_TOKEN = 'formToken'
export const FORM_TOKEN_HEADER = 'x-form-token'

/** The token that a form of this login (or, before that, of this browser) has to bring along. */
export function formToken(key: Uint8Array, boundTo: string): string {
  return createHmac('sha256', key).update(`form token ${boundTo}`).digest('base64url')
}

/** [CSRF.2] */
export function isFormToken(key: Uint8Array, boundTo: string, text: string | undefined): boolean {
  const wanted = Buffer.from(formToken(key, boundTo))
  const given = Buffer.from(text ?? '')
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

/**
 * [CSRF.1] Whether a page of our own sent this request: its Origin is the bridge's address or the requested
 * host; without an Origin, `Sec-Fetch-Site` decides. The front door already checked the host, so DNS
 * rebinding does not get here. Source: OWASP CSRF prevention, "verifying origin with standard headers"; Fetch
 * Metadata (W3C).
 */
export function isOwnOrigin(request: IncomingMessage, site: Site): boolean {
  const { origin, host } = request.headers
  if (origin !== undefined)
    return origin === site.origin || origin === `${site.secure ? 'https' : 'http'}://${host ?? ''}`
  return request.headers['sec-fetch-site'] === 'same-origin'
}
