import { hash } from 'node:crypto'
import { expect, test } from 'vitest'
import { LIST } from '../support/attacker.ts'
import { startBridge } from '../support/bridge.ts'
import { post } from '../support/mcp.ts'
import { type OAuthNode, PASSWORD, startOAuth } from '../support/oauth.ts'
import { ask, CALLBACK, redeem, register } from '../support/oauth-client.ts'
import { deviceParameters } from '../support/oauth-device.ts'
import type { Person } from '../support/person.ts'

/** Headers without which a browser could frame, guess at or script an answer, or tell its address to others. */
function expectHardened({ headers }: { readonly headers: Headers }, what: string): void {
  expect(headers.get('x-content-type-options'), what).toBe('nosniff')
  expect(headers.get('x-frame-options'), what).toBe('DENY')
  expect(headers.get('referrer-policy'), what).toMatch(/^(no-referrer|same-origin)$/)
  const policy = headers.get('content-security-policy') ?? ''
  for (const part of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"])
    expect(policy, what).toContain(part)
}

const form = (parameters: Record<string, string>) => ({
  method: 'POST',
  body: new URLSearchParams(parameters),
  redirect: 'manual' as const,
})

test('[OAUTH.21] sends security headers with every answer of the library', async () => {
  const node = await startOAuth()
  const at = (path: string, init: RequestInit = { redirect: 'manual' }) => fetch(node.url + path, init)
  const registration = (body: string) => ({
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  })
  const good = JSON.stringify({ redirect_uris: [CALLBACK] })
  const asked = await ask(await register(node))
  const device = { client_id: 'bridgekeeper-agent', ...deviceParameters(node) }
  const answers: readonly [string, number, () => Promise<Response>][] = [
    ['metadata', 200, () => at('/.well-known/oauth-authorization-server')],
    ['keys', 200, () => at('/oauth/jwks')],
    ['a token error', 401, () => at('/oauth/token', form({ grant_type: 'password', client_id: 'x' }))],
    ['a body of another type', 400, () => at('/oauth/token', registration('{'))],
    ['a method that is not taken', 405, () => at('/oauth/token')],
    ['a registration', 201, () => at('/oauth/register', registration(good))],
    ['a registration error', 400, () => at('/oauth/register', registration('{}'))],
    ['a revocation error', 401, () => at('/oauth/revoke', form({ token: 'x', client_id: 'x' }))],
    ['device codes', 200, () => at('/oauth/device', form(device))],
    ['a device error', 401, () => at('/oauth/device', form({ client_id: 'x' }))],
    ['an authorization error', 400, () => at('/oauth/authorize?client_id=x')],
    ['a step that is over', 400, () => at('/oauth/authorize/nothing')],
    ['a request for access', 303, () => fetch(asked.url, { redirect: 'manual' })],
  ]
  for (const [what, status, send] of answers) {
    const answer = await send()
    expect(answer.status, what).toBe(status)
    expectHardened(answer, what)
  }
})

test('[OAUTH.21] sends security headers with an answer to a failed store', async () => {
  const { stores } = await startOAuth()
  const fail = () => Promise.reject(new Error('The disk is full.'))
  const node = await startOAuth({ parts: { store: { ...stores.oauth, put: fail, find: fail } } })
  for (const path of ['/oauth/authorize?client_id=x', '/oauth/authorize/nothing']) {
    const answer = await fetch(node.url + path, { headers: { cookie: 'oauthSession=a; oauthResume=b' } })
    expect(answer.status, path).toBeGreaterThanOrEqual(400)
    expectHardened(answer, path)
  }
  const page = await (await node.login('ann')).visit(`${node.url}/device`)
  expect(page.status).toBe(500)
  expectHardened(page, 'device')
  const registered = await fetch(`${node.url}/oauth/register`, {
    method: 'POST',
    body: JSON.stringify({ redirect_uris: [CALLBACK] }),
    headers: { 'content-type': 'application/json' },
  })
  expect(registered.status).toBe(500)
  expect(await registered.text()).not.toContain('disk')
  expectHardened(registered, 'registration')
})

test('[OAUTH.21] allows only its own script on the page that posts a code to the app, and that page works', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const asked = await ask(app, { response_mode: 'form_post' })
  const person = await node.login('ann')
  const page = await person.submit(await person.visit(asked.url.href), { answer: 'allow' })
  expectHardened(page, 'form_post')
  expect(page.headers.get('cache-control')).toContain('no-store')
  const [, script = ''] = /<script>(.*?)<\/script>/s.exec(page.text) ?? []
  expect(directive(page.headers, 'script-src')).toBe(`'sha256-${hash('sha256', script, 'base64')}'`)
  // Browsers apply it to where the app's own answer redirects, too.
  expect(directive(page.headers, 'form-action')).toBeUndefined()
  const { action, values } = formPosted(page.text)
  expect(action).toBe(CALLBACK)
  const left = new URL(action)
  left.search = new URLSearchParams(values).toString()
  expect((await redeem(app, left, asked)).token_type).toBe('bearer')
})

test('[OAUTH.21] asks a second user of one browser after the first, on a page whose script runs', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const browser = await node.login('ann')
  await browser.submit(await browser.visit((await ask(app)).url.href), { answer: 'allow' })
  browser.forget('accessToken')
  browser.forget('refreshToken')
  await logIn(node, browser, 'bob')
  const page = await browser.visit((await ask(app)).url.href)
  expectHardened(page, 'logout')
  const [, script = ''] = /<script>(.*?)<\/script>/s.exec(page.text) ?? []
  expect(directive(page.headers, 'script-src')).toBe(`'sha256-${hash('sha256', script, 'base64')}'`)
  const { action, values } = formPosted(page.text)
  const sent = await browser.send('POST', action, new URLSearchParams(values).toString(), {
    origin: node.url,
  })
  const consent = await browser.visit(new URL(String(sent.headers.get('location')), node.url).href)
  expect(consent.text).toContain('bob@example.com')
})

test('[ANSWER.1] forbids sniffing and caching in every answer of the bridge itself', async () => {
  const node = await startOAuth()
  const answers: readonly [string, () => Promise<{ readonly headers: Headers }>][] = [
    ['health', () => fetch(`${node.url}/healthz`)],
    ['readiness', () => fetch(`${node.url}/readyz`)],
    ['the agents’ path', () => fetch(`${node.url}/api/mcp-ws`)],
    ['enrolment', () => fetch(`${node.url}/api/devices`)],
    ['a call without a token', () => post(node, '/mcp', LIST)],
    ['a call with a bad one', () => post(node, '/mcp', LIST, { authorization: 'Bearer x' })],
    ['a page that needs a login', () => fetch(`${node.url}/account`, { redirect: 'manual' })],
    ['an unknown page', () => fetch(`${node.url}/account/none`)],
    [
      'a refusal to a script',
      () => fetch(`${node.url}/auth/none`, { headers: { accept: 'application/json' } }),
    ],
    ['a method that metadata do not take', () => fetch(metadataOf(node), { method: 'POST' })],
  ]
  for (const [what, send] of answers) {
    const { headers } = await send()
    expect(headers.get('x-content-type-options'), what).toBe('nosniff')
    expect(headers.get('cache-control'), what).toBe('no-store')
  }
  expect((await fetch(metadataOf(node))).headers.get('x-content-type-options')).toBe('nosniff')
})

test('[ANSWER.1] answers an unknown path with these headers', async () => {
  const at = await startBridge()
  for (const path of ['/none', '/none/', '//']) {
    const { status, headers } = await fetch(at.url + path)
    expect(status, path).toBe(404)
    expect(headers.get('x-content-type-options'), path).toBe('nosniff')
    expect(headers.get('cache-control'), path).toBe('no-store')
  }
})

const metadataOf = (node: OAuthNode) => `${node.url}/.well-known/oauth-protected-resource`

function directive(headers: Headers, name: string): string | undefined {
  return (headers.get('content-security-policy') ?? '')
    .split(';')
    .map((text) => text.trim().split(/\s+/))
    .find(([first]) => first === name)
    ?.slice(1)
    .join(' ')
}

/** The form of a page of the library's own. */
function formPosted(text: string): { readonly action: string; readonly values: Record<string, string> } {
  const [, action = ''] = /<form method="post" action="([^"]*)">/.exec(text) ?? []
  const inputs = text.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"\/>/g)
  return { action, values: Object.fromEntries([...inputs].map(([, name = '', value = '']) => [name, value])) }
}

async function logIn(node: OAuthNode, browser: Person, name: string): Promise<void> {
  const page = await browser.visit(`${node.url}/login`)
  const fields = { email: `${name}@example.com`, password: PASSWORD }
  await browser.submit(page, { action: '/login' }, fields)
}
