import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { browserName } from '../../src/browser/browser-name.ts'
import { clearCookie, cookieOf, PageCookie, setCookie } from '../../src/web/cookies.ts'
import { formToken, isFormToken, isOwnOrigin } from '../../src/web/csrf.ts'
import { readForm, readJson } from '../../src/web/form-body.ts'
import { html } from '../../src/web/html.ts'
import { moment } from '../../src/web/moments.ts'
import { isOfThisMachine, localPath, siteOf } from '../../src/web/site.ts'

const MAX_BODY_BYTES = 65_536
const PLAIN = siteOf('http://127.0.0.1:8787')
const SECURE = siteOf('https://bridge.example.com/base//')

const withHeaders = (headers: Readonly<Record<string, string>>) => ({ headers }) as unknown as IncomingMessage

function posted(body: string | readonly string[], type: string | undefined): IncomingMessage {
  const chunks = (typeof body === 'string' ? [body] : body).map((text) => Buffer.from(text))
  return Object.assign(Readable.from(chunks), {
    headers: { 'content-type': type },
  }) as unknown as IncomingMessage
}

/** Returns the cookies that a response sets. */
function cookiesOf(act: (response: ServerResponse) => void): readonly string[] {
  const set: string[] = []
  act({ appendHeader: (_name: string, value: string) => set.push(value) } as unknown as ServerResponse)
  return set
}

test('[LOGIN.2] reads a cookie that occurs once, whatever is beside it', () => {
  const of = (cookie: string) => cookieOf(withHeaders({ cookie }), 'a')
  expect(of('a=1')).toBe('1')
  expect(of('b=2;a=1;c=3')).toBe('1')
  expect(of('b=2;   a=x=y ')).toBe('x=y')
  for (const none of ['', 'b=1', 'aa=1', 'xa=1', 'a', 'a=', 'a=1; a=1', 'a=1; a=2', 'a=1; a =2', 'a; a'])
    expect(of(none), none).toBeUndefined()
  expect(of('a=%20')).toBe('%20')
  expect(cookieOf(withHeaders({}), 'a')).toBeUndefined()
  expect(cookieOf(withHeaders({ cookie: 'a=1' }), '__proto__')).toBeUndefined()
})

test('[LOGIN.2] sets a cookie for the bridge only, and clears it by the same name', () => {
  expect(cookiesOf((response) => setCookie(response, 'a', 'v', { secure: true, maxAgeMs: 1_001 }))).toEqual([
    'a=v; Max-Age=2; Path=/; HttpOnly; Secure; SameSite=Strict',
  ])
  expect(
    cookiesOf((response) =>
      setCookie(response, 'a', 'v', { secure: false, maxAgeMs: 1_000, sameSite: 'lax' }),
    ),
  ).toEqual(['a=v; Max-Age=1; Path=/; HttpOnly; SameSite=Lax'])
  expect(cookiesOf((response) => clearCookie(response, 'a', true))).toEqual([
    'a=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Strict',
  ])
  expect(() =>
    cookiesOf((response) => setCookie(response, 'a', 'v; Domain=x', { secure: true, maxAgeMs: 1 })),
  ).toThrow(TypeError)
  const lax = new PageCookie('v', 'lax')
  expect(cookiesOf((response) => lax.set(response, SECURE, 'x', 5_000))).toEqual([
    '__Host-v=x; Max-Age=5; Path=/; HttpOnly; Secure; SameSite=Lax',
  ])
  expect(cookiesOf((response) => lax.clear(response, PLAIN))).toEqual([
    'v=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict',
  ])
  expect(lax.of(withHeaders({ cookie: '__Host-v=1; v=2' }), SECURE)).toBe('1')
  expect(lax.of(withHeaders({ cookie: '__Host-v=1; v=2' }), PLAIN)).toBe('2')
})

test('[CSRF.2] binds a form token to one key and one login', () => {
  const [key, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
  const token = formToken(key, 's1')
  expect(token).toMatch(/^[\w-]{43}$/)
  expect(isFormToken(key, 's1', token)).toBe(true)
  for (const wrong of [
    undefined,
    '',
    `${token}x`,
    token.slice(1),
    formToken(key, 's2'),
    formToken(other, 's1'),
  ])
    expect(isFormToken(key, 's1', wrong), wrong).toBe(false)
})

test('[CSRF.1] accepts a form from its own origin, or from the requested host', () => {
  const isOwn = (headers: Record<string, string>, site = SECURE) => isOwnOrigin(withHeaders(headers), site)
  expect(isOwn({ origin: 'https://bridge.example.com' })).toBe(true)
  expect(isOwn({ origin: 'https://other.example', host: 'other.example' })).toBe(true)
  expect(isOwn({ origin: 'http://127.0.0.1:8787', host: 'x' }, PLAIN)).toBe(true)
  expect(isOwn({ origin: 'http://x', host: 'x' }, PLAIN)).toBe(true)
  expect(isOwn({ 'sec-fetch-site': 'same-origin' })).toBe(true)
  for (const headers of [
    {},
    { 'sec-fetch-site': 'same-site' },
    { origin: 'null', 'sec-fetch-site': 'same-origin' },
    { origin: 'https://evil.example', host: 'bridge.example.com' },
    { origin: 'http://bridge.example.com', host: 'bridge.example.com' },
  ])
    expect(isOwn(headers as Record<string, string>), JSON.stringify(headers)).toBe(false)
})

test('[PAGE.9] accepts a form with each field once, up to 64 KiB, and a form’s content type', async () => {
  const TYPE = 'application/x-www-form-urlencoded'
  const read = async (body: string | readonly string[], type: string | undefined = TYPE) => {
    const form = await readForm(posted(body, type))
    return form.allowed ? Object.fromEntries(form.value) : form.code
  }
  expect(await read('a=1&b=x+y%26')).toEqual({ a: '1', b: 'x y&' })
  expect(await read(['a=', '1&b', '=2'], `${TYPE.toUpperCase()} ; charset=utf-8`)).toEqual({ a: '1', b: '2' })
  expect(await read('')).toEqual({})
  expect(await read('a=1&a=1')).toBe('form_invalid')
  expect(await read('a=1', 'text/plain')).toBe('form_invalid')
  expect(await readForm(posted('a=1', undefined))).toMatchObject({ code: 'form_invalid' })
  const full = `a=${'x'.repeat(MAX_BODY_BYTES - 2)}`
  expect(await read(full)).toEqual({ a: full.slice(2) })
  expect(await read(`${full}x`)).toBe('body_too_large')
  expect(await read([full, 'x'])).toBe('body_too_large')
})

test('[PAGE.9] accepts a script request of one JSON object up to 64 KiB', async () => {
  const read = async (body: string, type: string | undefined = 'application/json; charset=utf-8') => {
    const json = await readJson(posted(body, type))
    return json.allowed ? json.value : json.code
  }
  expect(await read('{"a":1}')).toEqual({ a: 1 })
  for (const wrong of ['[1]', '1', '{', '', 'null']) expect(await read(wrong), wrong).toBe('form_invalid')
  expect(await read('{}', 'text/json')).toBe('form_invalid')
  expect(await read(`{"a":"${'x'.repeat(MAX_BODY_BYTES - 8)}"}`)).toMatchObject({ a: expect.any(String) })
  expect(await read(`{"a":"${'x'.repeat(MAX_BODY_BYTES - 7)}"}`)).toBe('body_too_large')
})

test('[PAGE.4] redirects only to paths of this origin', () => {
  expect(localPath('/a?b=c#d')).toBe('/a?b=c')
  expect(localPath('/a/../b')).toBe('/b')
  expect(localPath(`/${'a'.repeat(2_047)}`)).toHaveLength(2_048)
  expect(localPath(`/${'a'.repeat(2_048)}`)).toBe('/account')
  expect(localPath(undefined, '/x')).toBe('/x')
  for (const wrong of ['', 'a', '//e', '/\\e', '/a\\b', '/a b', '/.//e', '/ä'])
    expect(localPath(wrong), wrong).toBe('/account')
})

test('[LOGIN.2] derives origin, path prefix and TLS from the issuer', () => {
  expect(SECURE).toEqual({
    origin: 'https://bridge.example.com',
    hostname: 'bridge.example.com',
    base: '/base',
    secure: true,
  })
  expect(PLAIN).toEqual({ origin: 'http://127.0.0.1:8787', hostname: '127.0.0.1', base: '', secure: false })
  const isLocal = (issuer: string) => isOfThisMachine(siteOf(issuer))
  for (const local of ['http://localhost', 'http://127.0.0.1', 'http://127.255.3.4:1', 'http://[::1]:8'])
    expect(isLocal(local), local).toBe(true)
  for (const other of [
    'http://localhost.example',
    'http://xlocalhost',
    'http://128.0.0.1',
    'http://127.0.0.1.example',
  ])
    expect(isLocal(other), other).toBe(false)
})

test.each([
  [0, 'just now'],
  [59_999, 'just now'],
  [60_000, '1 minute ago'],
  [119_999, '1 minute ago'],
  [120_000, '2 minutes ago'],
  [3_599_999, '59 minutes ago'],
  [3_600_000, '1 hour ago'],
  [86_399_999, '23 hours ago'],
  [86_400_000, '1 day ago'],
  [200 * 86_400_000, '200 days ago'],
])('[ACCT.6] describes a moment %i ms ago as %s', (ageMs, text) => {
  const atMs = Date.UTC(2030, 0, 2, 3, 4, 5)
  expect(moment(atMs, atMs + ageMs).toString()).toBe(
    `<time datetime="2030-01-02T03:04:05.000Z" title="2030-01-02 03:04 UTC">${text}</time>`,
  )
})

test.each([
  ['Mozilla/5.0 (Windows NT 10.0) Chrome/1 Safari/537 Edg/1', 'Edge on Windows'],
  ['Mozilla/5.0 (X11; CrOS x86_64) Chrome/1 Safari/1 OPR/1', 'Opera on ChromeOS'],
  ['Mozilla/5.0 (Android 14; Mobile) Firefox/1', 'Firefox on Android'],
  ['Mozilla/5.0 (iPhone; like Mac OS X) FxiOS/1 Safari/1', 'Firefox on iPhone'],
  ['Mozilla/5.0 (Linux; Android 14) Chrome/1 Safari/1', 'Chrome on Android'],
  ['Mozilla/5.0 (iPad; like Mac OS X) CriOS/1 Safari/1', 'Chrome on iPad'],
  ['Mozilla/5.0 (Macintosh; Intel Mac OS X) Version/1 Safari/1', 'Safari on macOS'],
  ['HeadlessChrome/1 Linux', 'Chrome on Linux'],
  ['something on Linux', 'A browser on Linux'],
  ['Firefox/1', 'Firefox'],
  ['<script>', 'A browser'],
  [undefined, 'A browser'],
])('[LOGIN.3] names the browser with the user agent %j as %s', (userAgent, name) => {
  expect(browserName(userAgent)).toBe(name)
})

test('[PAGE.1] escapes every HTML character in values of any kind', () => {
  expect(String(html`<a b="${`&<>"'`}">${0}${undefined}${false}${[html`<i>`, '<']}</a>`)).toBe(
    '<a b="&amp;&lt;&gt;&quot;&#39;">0<i>&lt;</a>',
  )
})
