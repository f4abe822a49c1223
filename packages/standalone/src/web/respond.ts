import type { ServerResponse } from 'node:http'
import type { Denied } from '@bridgekeeper/bridge'
import { denialError } from '@bridgekeeper/bridge/parts'
import { codes, type ErrorCode } from '@bridgekeeper/protocol'
import { html } from './html.ts'
import { type PageOptions, page } from './layout.ts'
import type { Site } from './site.ts'
import { STYLE_SOURCE } from './style.ts'

/**
 * [PAGE.2] Headers of every page: only our own style, and on pages that request it our script; no frames, no
 * caching, no referrer to other sites. Referrers stay within the origin, because without one browsers send
 * `Origin: null` with our own forms. Source: CSP 3; OWASP ASVS 3.4.
 */
export function pageHeaders(withScript: boolean): Record<string, string> {
  const policy = [
    "default-src 'none'",
    `style-src ${STYLE_SOURCE}`,
    ...(withScript ? ["script-src 'self'", "connect-src 'self'"] : []),
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ]
  return {
    'Content-Security-Policy': policy.join('; '),
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'no-store',
    'Referrer-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
  }
}

export function sendPage(
  response: ServerResponse,
  options: PageOptions,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = page(options).toString()
  response
    .writeHead(status, {
      ...pageHeaders(options.script !== undefined),
      'Content-Length': Buffer.byteLength(body),
      ...headers,
    })
    .end(body)
}

/** Redirects after a form is done: the browser requests the other page by GET. @param path of this site */
export function redirect(response: ServerResponse, site: Site, path: string): void {
  response
    .writeHead(303, {
      Location: site.base + path,
      'Cache-Control': 'no-store',
      'Content-Length': 0,
      'X-Content-Type-Options': 'nosniff',
    })
    .end()
}

/**
 * Continues through a page of this site instead of a redirect. The next request then has our origin, so the
 * browser sends strict cookies, and the form's policy does not apply.
 */
export function sendOnward(response: ServerResponse, site: Site, path: string): void {
  const main = html`<p><a class="button" href="${site.base}${path}">Continue</a></p>`
  sendPage(response, { site, title: 'One moment', main, narrow: true, continueTo: site.base + path })
}

/** Continues to another site, through a page of this one. */
export function sendAway(response: ServerResponse, site: Site, url: URL): void {
  const main = html`<p><a class="button" href="${url.href}">Continue</a></p>`
  sendPage(response, { site, title: 'One moment', main, narrow: true, continueTo: url.href })
}

/** Sends a refusal as a page: the code's own words, status and `Retry-After`. */
export function sendRefusalPage(response: ServerResponse, site: Site, denied: Denied): void {
  const { message, next } = denialError(denied)
  const main = html`<div class="card"><p>${next}</p><p><a href="${site.base}/account">To your account</a></p></div>`
  const notice = { kind: 'bad', text: message } as const
  sendPage(
    response,
    { site, title: titleOf(denied.code), main, narrow: true, notice },
    codes[denied.code].http,
    retryHeaders(denied),
  )
}

/** Sends a refusal to a script: `{"error":{"code","message","next"}}`. */
export function sendRefusalJson(response: ServerResponse, denied: Denied): void {
  const { code, message, next } = denialError(denied)
  sendJson(response, { error: { code, message, next } }, codes[code].http, retryHeaders(denied))
}

export function sendJson(
  response: ServerResponse,
  value: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = JSON.stringify(value)
  response
    .writeHead(status, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      ...headers,
    })
    .end(body)
}

export function retryHeaders({ retryAfterSeconds }: Denied): Record<string, string> {
  return retryAfterSeconds === undefined ? {} : { 'Retry-After': String(retryAfterSeconds) }
}

function titleOf(code: ErrorCode): string {
  const { http } = codes[code]
  if (http === 404) return 'Nothing here'
  return http === 429 ? 'Too many tries' : 'That did not work'
}
