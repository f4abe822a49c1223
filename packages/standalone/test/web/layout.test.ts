import { hash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { deny } from '@bridgekeeper/bridge'
import { denyFor } from '@bridgekeeper/bridge/parts'
import { expect, test } from 'vitest'
import { html } from '../../src/web/html.ts'
import { button, card, field, form, page } from '../../src/web/layout.ts'
import {
  redirect,
  sendAway,
  sendJson,
  sendOnward,
  sendPage,
  sendRefusalJson,
  sendRefusalPage,
} from '../../src/web/respond.ts'
import { siteOf } from '../../src/web/site.ts'
import { STYLE } from '../../src/web/style.ts'

const site = siteOf('https://bridge.example.com/base')
const main = html`MAIN`
const account = { email: 'ann@example.com', isAdmin: false, formToken: 'TOKEN' }

interface Sent {
  readonly status: number
  readonly headers: Readonly<Record<string, string | number>>
  readonly body: string
}

/** Records what a function sends. */
function sent(send: (response: ServerResponse) => void): Sent {
  const seen: { status: number; headers: Sent['headers']; body: string } = {
    status: 0,
    headers: {},
    body: '',
  }
  const response = {
    writeHead(status: number, headers: Sent['headers']) {
      Object.assign(seen, { status, headers })
      return response
    },
    end(body = '') {
      seen.body = body
    },
  }
  send(response as unknown as ServerResponse)
  return seen
}

/** The page without its style. */
function withoutStyle(text: { toString(): string }): string {
  return text.toString().replace(STYLE, '')
}

test('[PAGE.3] gives a page a language, a title, one heading and a place for notices', () => {
  expect(withoutStyle(page({ site, title: 'A & B', main }))).toMatchInlineSnapshot(`
    "<!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width,initial-scale=1">
    <meta name="robots" content="noindex">
    <title>A &amp; B · Bridgekeeper</title>
    <style></style>


    </head>
    <body>
    <header><strong>Bridgekeeper</strong></header>
    <main>
    <h1>A &amp; B</h1>
    <div aria-live="polite" id="notice"></div>
    MAIN
    </main>
    </body>
    </html>"
  `)
})

test('[PAGE.3] leads a logged-in user to the account, and logs out by a form', () => {
  const notice = { kind: 'good', text: 'Done.' } as const
  expect(
    withoutStyle(page({ site, title: 'A', main, account, notice, narrow: true })),
  ).toMatchInlineSnapshot(`
    "<!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width,initial-scale=1">
    <meta name="robots" content="noindex">
    <title>A · Bridgekeeper</title>
    <style></style>


    </head>
    <body>
    <header><strong>Bridgekeeper</strong><nav aria-label="Account">
    <span class="soft small">ann@example.com</span>
    <a href="/base/account">Account</a>

    <form method="post" action="/base/logout"><input type="hidden" name="formToken" value="TOKEN"><button class="link">Log out</button></form>
    </nav></header>
    <main class="form">
    <h1>A</h1>
    <div aria-live="polite" id="notice"><p class="alert good" role="status" tabindex="-1" autofocus>Done.</p></div>
    MAIN
    </main>
    </body>
    </html>"
  `)
  const admin = page({ site, title: 'A', main, account: { ...account, isAdmin: true } }).toString()
  expect(admin).toContain('<a href="/base/account/users">Users</a>')
})

test('[PAGE.3] renders a narrow page, with a script, and one that continues', () => {
  const text = withoutStyle(
    page({
      site,
      title: 'A',
      main,
      narrow: true,
      script: 'x.js',
      continueTo: '/y?"',
      notice: { kind: 'bad', text: 'No.' },
    }),
  )
  expect(text).toContain('<header class="narrow">')
  expect(text).toContain('<main class="narrow">')
  expect(text).toContain('<script src="/base/account/x.js" defer></script>')
  expect(text).toContain('<meta http-equiv="refresh" content="0;url=/y?&quot;">')
  expect(text).toContain('<p class="alert bad" role="alert" tabindex="-1" autofocus>No.</p>')
})

test('[CSRF.2] renders a form with its token and hidden fields, which cannot replace the token', () => {
  const options = { site, action: '/x', token: 'TOKEN', fields: html`FIELDS` }
  expect(form(options).toString()).toBe(
    '<form method="post" action="/base/x"><input type="hidden" name="formToken" value="TOKEN">FIELDS</form>',
  )
  expect(form({ ...options, wide: true, hidden: { a: '"', formToken: 'other' } }).toString()).toBe(
    '<form method="post" action="/base/x" class="wide"><input type="hidden" name="a" value="&quot;"><input type="hidden" name="formToken" value="TOKEN">FIELDS</form>',
  )
})

test('[PAGE.3] renders a field with a label, and a hint that it refers to', () => {
  expect(field({ name: 'a', label: 'A', autocomplete: 'off' }).toString()).toBe(
    '<label for="a">A</label>\n<input id="a" name="a" type="text" autocomplete="off" maxlength="254" required>',
  )
  expect(
    field({
      name: 'a',
      label: 'A',
      type: 'email',
      autocomplete: 'off',
      value: '',
      hint: 'Such as x.',
      focus: true,
      maxLength: 7,
      isCode: true,
    }).toString(),
  ).toBe(
    '<label for="a">A</label>\n<input id="a" name="a" type="email" autocomplete="off" maxlength="7" required value="" aria-describedby="a-hint" autofocus class="code" inputmode="numeric" pattern="[0-9 ]{6,7}" autocapitalize="none" spellcheck="false"><span class="hint" id="a-hint">Such as x.</span>',
  )
})

test('[PAGE.3] renders a button with its kind, and a label if its text is not clear', () => {
  expect(button('Go').toString()).toBe('<button class="main">Go</button>')
  expect(button('Go', 'bad', 'Go <away>').toString()).toBe(
    '<button class="bad" aria-label="Go &lt;away&gt;">Go</button>',
  )
  expect(card('Title', ['x']).toString()).toBe('<section class="card"><h2>Title</h2>x</section>')
})

test('[PAGE.2] allows only the style of the page, and its script on a page with a script', () => {
  const plain = sent((response) => sendPage(response, { site, title: 'A', main }))
  const style = /<style>(.*)<\/style>/s.exec(plain.body)?.[1] ?? ''
  expect(style).toContain('[hidden]{display:none!important}')
  const source = `'sha256-${hash('sha256', style, 'base64')}'`
  expect(plain).toMatchObject({
    status: 200,
    headers: {
      'Content-Security-Policy': `default-src 'none'; style-src ${source}; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Length': Buffer.byteLength(plain.body),
      'Cache-Control': 'no-store',
      'Referrer-Policy': 'same-origin',
      'X-Content-Type-Options': 'nosniff',
      'X-Frame-Options': 'DENY',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Resource-Policy': 'same-origin',
    },
  })
  const scripted = sent((response) =>
    sendPage(response, { site, title: 'ä', main, script: 'x.js' }, 418, { A: 'b' }),
  )
  expect(scripted).toMatchObject({ status: 418, headers: { A: 'b' } })
  expect(scripted.headers['Content-Length']).toBe(Buffer.byteLength(scripted.body))
  expect(scripted.headers['Content-Security-Policy']).toBe(
    `default-src 'none'; style-src ${source}; script-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  )
})

test('[PAGE.4] redirects after a form, within the bridge’s own path', () => {
  expect(sent((response) => redirect(response, site, '/account'))).toEqual({
    status: 303,
    headers: {
      Location: '/base/account',
      'Cache-Control': 'no-store',
      'Content-Length': 0,
      'X-Content-Type-Options': 'nosniff',
    },
    body: '',
  })
})

test('[LOGIN.8] continues to a page of this site or another one automatically, or by a link', () => {
  for (const [send, href] of [
    [(response: ServerResponse) => sendOnward(response, site, '/x'), '/base/x'],
    [
      (response: ServerResponse) => sendAway(response, site, new URL('https://idp.example/a?b=c&d')),
      'https://idp.example/a?b=c&amp;d',
    ],
  ] as const) {
    const { status, body } = sent(send)
    expect(status).toBe(200)
    expect(body).toContain('<h1>One moment</h1>')
    expect(body).toContain('<main class="narrow">')
    expect(body).toContain(`<p><a class="button" href="${href}">Continue</a></p>`)
    expect(body).toContain(`<meta http-equiv="refresh" content="0;url=${href}">`)
  }
})

test('[CODE.1] shows in a refusal what happened, what to do and when', () => {
  for (const [denied, status, title] of [
    [deny('not_found'), 404, 'Nothing here'],
    [deny('form_stale'), 403, 'That did not work'],
    [denyFor('login_limited', 60_000), 429, 'Too many tries'],
  ] as const) {
    const seen = sent((response) => sendRefusalPage(response, site, denied))
    const json = sent((response) => sendRefusalJson(response, denied))
    const { error } = JSON.parse(json.body)
    expect([seen.status, json.status, error.code]).toEqual([status, status, denied.code])
    expect(seen.body).toContain(`<h1>${title}</h1>`)
    expect(seen.body).toContain('<main class="narrow">')
    expect(seen.body).toContain(`role="alert" tabindex="-1" autofocus>${error.message}</p>`)
    expect(seen.body).toContain(`<p>${error.next}</p><p><a href="/base/account">To your account</a></p>`)
    const retryAfter = status === 429 ? '60' : undefined
    expect([seen.headers['Retry-After'], json.headers['Retry-After']]).toEqual([retryAfter, retryAfter])
    expect('Retry-After' in seen.headers).toBe(status === 429)
  }
})

test('[PAGE.2] sends JSON that no cache keeps', () => {
  expect(sent((response) => sendJson(response, { a: 'ä' }, 418, { B: 'c' }))).toEqual({
    status: 418,
    headers: {
      'Content-Type': 'application/json',
      'Content-Length': 10,
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      B: 'c',
    },
    body: '{"a":"ä"}',
  })
  expect(sent((response) => sendJson(response, 1)).status).toBe(200)
})
