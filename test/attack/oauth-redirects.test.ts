import { realSystem } from '@bridgekeeper/bridge'
import { Records } from '@bridgekeeper/standalone/testing'
import { expect, test } from 'vitest'
import { httpsServer } from '../support/metadata-server.ts'
import { type OAuthNode, startOAuth } from '../support/oauth.ts'
import { ask, CALLBACK, connect, discover, register, type TestClient } from '../support/oauth-client.ts'
import { type Page, Person, wordsOn } from '../support/person.ts'

const GOOD = [
  'https://app.example/callback',
  'https://vscode.dev/redirect',
  'http://127.0.0.1/callback',
  'http://127.0.0.1:45871/callback',
  'http://localhost:3000/callback',
  'http://[::1]:3000/callback',
  'com.example.app:/callback',
  'com.example.app://callback',
  'org.example.some-app.beta:/callback?a=b',
]
const BAD = [
  'smb://evil.example/share',
  'ms-msdt:/id',
  'view-source:https://evil.example/',
  'search-ms:query=x',
  'ms-officecmd:x',
  'vscode://evil.extension/run',
  'cursor://anysphere.cursor-mcp/callback',
  'file:///etc/passwd',
  'ftp://evil.example/',
  'javascript:alert(1)',
  'data:text/html,x',
  'blob:https://evil.example/x',
  'about:blank',
  'mailto:a@example.com',
  'tel:112',
  'x-apple.systempreferences:com.apple.preference',
  '.example:/callback',
  'com.:/callback',
  'com..example:/callback',
  'com.-example:/callback',
  'com.example+app:/callback',
  'http://evil.example/callback',
  'http://127.0.0.2/callback',
  'http://localhost.evil.example/callback',
  'http://127.0.0.1.evil.example/callback',
  'https://user@app.example/callback',
  'https://app.example/callback#part',
  'https:\\\\app.example\\callback',
  'https://app.example/a b',
  ' https://app.example/callback',
  'https://app.example/\tcallback',
  'https://app.exämple/callback',
  '/callback',
  '',
]

const registration = (node: OAuthNode, redirect_uris: readonly unknown[]) =>
  fetch(`${node.url}/oauth/register`, {
    method: 'POST',
    body: JSON.stringify({ redirect_uris, token_endpoint_auth_method: 'none' }),
    headers: { 'content-type': 'application/json', 'x-forwarded-for': '192.0.2.1' },
  })

test('[OAUTH.7] registers only https, loopback and domain-named app schemes', async () => {
  const { length } = [...GOOD, ...BAD]
  const nodes = await Promise.all(Array.from({ length: Math.ceil(length / 9) }, () => startOAuth()))
  const node = (index: number) => nodes[Math.floor(index / 9)] as OAuthNode
  for (const [index, redirect] of [...GOOD, ...BAD].entries()) {
    const { status } = await registration(node(index), [redirect])
    expect(status, redirect).toBe(GOOD.includes(redirect) ? 201 : 400)
  }
  const mixed = await registration(node(0), [CALLBACK, 'smb://evil.example/'])
  expect(await mixed.json()).toMatchObject({ redirect_uris: [CALLBACK] })
})

const stored = (node: OAuthNode, client_id: string, redirect_uris: readonly string[]) =>
  new Records('Client', {
    store: node.stores.oauth,
    key: Buffer.alloc(32, 2),
    system: realSystem(),
    grantEnded: async () => {},
  }).upsert(client_id, {
    client_id,
    redirect_uris: [...redirect_uris],
    grant_types: ['authorization_code'],
    response_types: ['code'],
    application_type: 'native',
    token_endpoint_auth_method: 'none',
  })

const clientAt = async (node: OAuthNode, client_id: string): Promise<TestClient> => {
  const as = await discover(node)
  return { as, client: { client_id }, auth: () => {} }
}

test('[OAUTH.7] refuses a stored client with such an address', async () => {
  const node = await startOAuth()
  await stored(node, 'old', ['smb://evil.example/share'])
  await stored(node, 'good', [CALLBACK])
  const person = await node.login('ann')
  const refused = await ask(await clientAt(node, 'old'), { redirect_uri: 'smb://evil.example/share' })
  expectOurPage(node, await person.visit(refused.url.href))
  const asked = await ask(await clientAt(node, 'good'))
  expect(wordsOn(await person.visit(asked.url.href))).toContain('Connect an app?')
})

test('[OAUTH.7] refuses such an address in a client’s metadata document', async () => {
  const node = await startOAuth()
  const { url } = await httpsServer((_request, response) => {
    response.setHeader('content-type', 'application/json')
    const redirect_uris = ['ms-msdt:/id']
    response.end(JSON.stringify({ client_id: id, redirect_uris, token_endpoint_auth_method: 'none' }))
  })
  const id = `${url}/client.json`
  const asked = await ask(await clientAt(node, id), { redirect_uri: 'ms-msdt:/id', prompt: 'none' })
  expectOurPage(node, await (await node.login('ann')).visit(asked.url.href))
})

/** The browser stays at the bridge, on a page that leads nowhere else. */
function expectOurPage(node: OAuthNode, page: Page): void {
  expect(page.left, page.url).toBeUndefined()
  expect(page.status, page.url).toBe(400)
  expect(page.headers.get('location'), page.url).toBeNull()
  expect(wordsOn(page), page.url).toContain('That did not work')
  expect(page.headers.get('content-security-policy'), page.url).toContain("form-action 'self'")
  expect(page.text, page.url).not.toMatch(/evil|127\.0\.0\.1:45871/)
  expect(new URL(page.url).origin).toBe(node.url)
}

const HTTPS = 'https://evil.example/landing'
const APP = 'com.evil.app:/landing'
const ERRORS: readonly [string, Record<string, string>][] = [
  ['no page is to be shown', { prompt: 'none' }],
  ['a form is to be posted', { prompt: 'none', response_mode: 'form_post' }],
  ['a fragment is asked for', { prompt: 'none', response_mode: 'fragment' }],
  ['the resource belongs to another server', { resource: 'https://other.example/' }],
  ['the response type is invalid', { response_type: 'token' }],
  ['there is no proof key', { code_challenge: '' }],
  ['a request object is given', { request: 'x.y.z' }],
  ['the prompt is contradictory', { prompt: 'none login' }],
]

test.each(ERRORS)(
  '[OAUTH.22] redirects no error to an app that nobody approved: %s',
  async (_what, changes) => {
    const node = await startOAuth()
    const ann = await node.login('ann')
    for (const redirect_uri of [HTTPS, APP, CALLBACK]) {
      const app = await register(node, { redirect_uris: [redirect_uri] })
      const { url } = await ask(app, { redirect_uri, ...changes })
      for (const person of [ann, new Person(node.url)]) {
        expectOurPage(node, await person.visit(url.href))
        expectOurPage(node, await person.visit(url.href, { 'sec-fetch-site': 'cross-site' }))
      }
    }
  },
)

test('[OAUTH.22] redirects errors to an app that the user approved, also from a link on its own site', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const ann = await node.login('ann')
  await connect(ann, app)
  const { url } = await ask(app, { prompt: 'none' })
  for (const headers of [{}, { 'sec-fetch-site': 'cross-site' }]) {
    const { left } = await ann.visit(url.href, headers)
    expect(left?.href.startsWith(CALLBACK)).toBe(true)
    expect(left?.searchParams.get('error')).toMatch(/^(login|consent|interaction)_required$/)
  }
})

test('[OAUTH.22] redirects no error for another user or app, nor after the approval ended', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const ann = await node.login('ann')
  await connect(ann, app)
  const { url } = await ask(app, { prompt: 'none' })
  expectOurPage(node, await (await node.login('bob')).visit(url.href))
  expectOurPage(node, await new Person(node.url).visit(url.href))
  const other = await register(node)
  expectOurPage(node, await ann.visit((await ask(other, { prompt: 'none' })).url.href))
  for (const { sessionId, kind } of await node.stores.sessions.ofUser('user_ann'))
    if (kind === 'client') await node.stores.sessions.end(sessionId)
  expectOurPage(node, await ann.visit(url.href))
})

test('[OAUTH.22] redirects a refusal to the address that the consent page names', async () => {
  const node = await startOAuth()
  const app = await register(node, { redirect_uris: [HTTPS] })
  const ann = await node.login('ann')
  const asked = await ask(app, { redirect_uri: HTTPS })
  const consent = await ann.visit(asked.url.href)
  expect(wordsOn(consent)).toContain('evil.example')
  const { left } = await ann.submit(consent, { answer: 'deny' })
  expect(left?.searchParams.get('error')).toBe('access_denied')
})
