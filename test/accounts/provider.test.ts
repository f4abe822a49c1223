import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { PASSWORD, startAccounts, type TestAccounts } from '../support/accounts.ts'
import { hiddenFields, type Seen, Surfer, textOf } from '../support/surfer.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

interface World {
  readonly accounts: TestAccounts
  readonly upstream: Upstream
}

async function world(createUsers = false): Promise<World> {
  const port = await freePort()
  const upstream = await startUpstream(`http://127.0.0.1:${port}/login/sso/callback`, createUsers)
  const accounts = await startAccounts({ port, provider: upstream.settings })
  return { accounts, upstream }
}

/** Off to the provider and back; the last page. */
async function logInThere(surfer: Surfer, returnTo = '/account'): Promise<Seen> {
  const page = await surfer.get(`/login?again=1&returnTo=${encodeURIComponent(returnTo)}`)
  return goOn(surfer, await surfer.submit(page, '/login/sso'))
}

/** Follows the pages that continue automatically. */
async function goOn(surfer: Surfer, seen: Seen, stopAt = (_path: string) => false): Promise<Seen> {
  const next = /http-equiv="refresh" content="0;url=([^"]*)"/.exec(seen.text)?.[1]?.replaceAll('&amp;', '&')
  if (next === undefined || stopAt(new URL(next, 'http://here.invalid').pathname)) return seen
  return goOn(surfer, await surfer.get(next), stopAt)
}

test('[SSO.1] [SSO.2] logs in a linked account at the provider, and refuses it once unlinked', async () => {
  const { accounts, upstream } = await world()
  await accounts.user('ann')
  upstream.user = { subject: 'upstream-ann', email: 'elsewhere@example.com' }
  const ann = await accounts.login('ann')
  const link = await ann.get('/account/provider')
  expect((await ann.submit(link, '/account/provider/link', { currentPassword: 'wrong' })).status).toBe(403)
  const linked = await goOn(
    ann,
    await ann.submit(link, '/account/provider/link', { currentPassword: PASSWORD }),
  )
  expect(textOf(linked.text)).toContain('Your account there is linked.')
  expect(accounts.recorded.named('upstream_linked')).toMatchObject([{ userId: 'user_ann' }])

  const surfer = new Surfer(accounts.url)
  const seen = await logInThere(surfer, '/account/passkeys')
  expect([seen.path, seen.status]).toEqual(['/account/passkeys', 200])
  expect(accounts.recorded.named('login_succeeded').at(-1)).toMatchObject({
    method: 'provider',
    userId: 'user_ann',
  })

  // A fresh login by the provider needs no password.
  await surfer.submit(await surfer.get('/account/provider'), '/account/provider/unlink')
  expect(await accounts.stores.credentials.linkedIdentitiesOf('user_ann')).toEqual([])
  expect(textOf((await logInThere(new Surfer(accounts.url))).text)).toContain(
    'No account on this bridge is linked',
  )
})

test('[SSO.3] creates an account for a newcomer only if enabled, with a verified and unused email', async () => {
  for (const [createUsers, user, isAdded] of [
    [false, { subject: 'n', email: 'new@example.com' }, false],
    [true, { subject: 'n', email: 'new@example.com', isVerified: false }, false],
    [true, { subject: 'n' }, false],
    [true, { subject: 'n', email: 'Ann@Example.com' }, false],
    [true, { subject: 'n', email: 'new@example.com' }, true],
  ] as const) {
    const { accounts, upstream } = await world(createUsers)
    await accounts.user('ann')
    upstream.user = user
    const surfer = new Surfer(accounts.url)
    const seen = await logInThere(surfer)
    expect([seen.path === '/account', (await accounts.stores.users.list('', 9)).length]).toEqual([
      isAdded,
      isAdded ? 2 : 1,
    ])
    expect(surfer.cookies.has('accessToken')).toBe(isAdded)
    expect(await accounts.stores.credentials.findLinkedUser(upstream.issuer, 'n')).toEqual(
      isAdded ? expect.stringMatching(/^user_/) : undefined,
    )
  }
}, 30_000)

test('[SSO.2] links a provider account to one account, and refuses a suspended user', async () => {
  const { accounts, upstream } = await world()
  await accounts.user('ann')
  await accounts.user('bob')
  await accounts.stores.credentials.linkIdentity(upstream.issuer, 'shared', 'user_ann')
  upstream.user = { subject: 'shared' }
  const bob = await accounts.login('bob')
  const link = await bob.get('/account/provider')
  const seen = await goOn(
    bob,
    await bob.submit(link, '/account/provider/link', { currentPassword: PASSWORD }),
  )
  expect([seen.status, textOf(seen.text).includes('already linked to another user')]).toEqual([409, true])
  await accounts.stores.users.setState('user_ann', 'suspended')
  expect(textOf((await logInThere(new Surfer(accounts.url))).text)).toContain('The user is suspended.')
})

test('[SSO.6] links a user with at most eight accounts at the provider', async () => {
  const { accounts, upstream } = await world()
  await accounts.user('ann')
  for (let index = 0; index < 7; index++)
    await accounts.stores.credentials.linkIdentity(upstream.issuer, `earlier${index}`, 'user_ann')
  const ann = await accounts.login('ann')
  const fields = hiddenFields((await ann.get('/account')).text, '/logout')
  const statuses: number[] = []
  for (const subject of ['eighth', 'ninth']) {
    upstream.user = { subject }
    const post = { ...fields, currentPassword: PASSWORD }
    statuses.push((await goOn(ann, await ann.post('/account/provider/link', post))).status)
  }
  expect(statuses).toEqual([200, 409])
  expect(await accounts.stores.credentials.linkedIdentitiesOf('user_ann')).toHaveLength(8)
})

test('[SSO.2] does not link a user who was suspended while at the provider', async () => {
  const { accounts, upstream } = await world()
  await accounts.user('ann')
  upstream.user = { subject: 'upstream-ann' }
  const ann = await accounts.login('ann')
  const link = await ann.get('/account/provider')
  const left = await ann.submit(link, '/account/provider/link', { currentPassword: PASSWORD })
  await accounts.stores.users.setState('user_ann', 'suspended')
  expect((await goOn(ann, left)).path).toMatch(/^\/login/)
  expect(await accounts.stores.credentials.linkedIdentitiesOf('user_ann')).toEqual([])
})

test('[SSO.5] links nothing when one browser’s login cookies are planted in another', async () => {
  const { accounts, upstream } = await world()
  const upstreams = async () =>
    Promise.all(['user_ann', 'user_mallory'].map((id) => accounts.stores.credentials.linkedIdentitiesOf(id)))
  await accounts.user('ann')
  await accounts.user('mallory')
  const ann = await accounts.login('ann')
  const mallory = await accounts.login('mallory')
  const link = await mallory.get('/account/provider')
  const leave = () => mallory.submit(link, '/account/provider/link', { currentPassword: PASSWORD })

  // Off as Mallory, there and back in Ann's browser.
  upstream.user = { subject: 'upstream-ann' }
  const left = await leave()
  ann.cookies.set('providerLogin', mallory.cookies.get('providerLogin') ?? '')
  expect((await goOn(ann, left)).status).toBe(403)
  expect(await upstreams()).toEqual([[], []])

  // Logs Mallory in at the provider; the result is moved to Ann's browser.
  upstream.user = { subject: 'upstream-mallory' }
  const back = await goOn(mallory, await leave(), (path) => path === '/account/provider/finish')
  expect(back.text).toContain('/account/provider/finish')
  ann.cookies.set('providerFound', mallory.cookies.get('providerFound') ?? '')
  expect((await ann.get('/account/provider/finish')).status).toBe(403)
  expect(await upstreams()).toEqual([[], []])

  // In her own browser it counts, once.
  expect((await mallory.get('/account/provider/finish')).path).toBe('/account?done=linked')
  expect((await mallory.get('/account/provider/finish')).status).toBe(403)
  expect((await upstreams()).map((known) => known.length)).toEqual([0, 1])
})

test('[SSO.1] accepts an answer only in the browser that asked, once, in time and as the provider signed it', async () => {
  const { accounts, upstream } = await world()
  await accounts.user('ann')
  await accounts.stores.credentials.linkIdentity(upstream.issuer, 'a', 'user_ann')
  upstream.user = { subject: 'a' }

  const victim = new Surfer(accounts.url)
  const attacker = new Surfer(accounts.url)
  const callback = await callbackOf(attacker)
  // Another browser without a login in progress; then one with its own.
  expect((await victim.get(callback)).status).toBe(403)
  await callbackOf(victim)
  expect((await victim.get(callback)).status).toBe(403)
  expect(victim.cookies.has('accessToken')).toBe(false)
  // The right one, and the same once more.
  expect((await attacker.get(callback)).status).toBe(200)
  expect((await attacker.get(callback)).status).toBe(403)

  // State, issuer, or code of another user.
  for (const change of [
    (url: URL) => url.searchParams.set('state', 'x'),
    (url: URL) => url.searchParams.set('iss', 'https://evil.example'),
    (url: URL) => url.searchParams.delete('iss'),
    (url: URL) => url.searchParams.set('code', 'x'),
  ]) {
    const surfer = new Surfer(accounts.url)
    const url = new URL(await callbackOf(surfer))
    change(url)
    expect((await surfer.get(url.href)).status).toBe(403)
    expect(surfer.cookies.has('accessToken')).toBe(false)
  }
  expect(accounts.recorded.named('login_failed')[0]).toMatchObject({ reason: 'provider_refused' })
}, 30_000)

test('[LOGIN.3] ends the earlier login of a browser that withholds its strict cookies on the way back', async () => {
  const { accounts, upstream } = await world()
  await accounts.user('ann')
  await accounts.stores.credentials.linkIdentity(upstream.issuer, 'a', 'user_ann')
  upstream.user = { subject: 'a' }
  const ann = await accounts.login('ann')
  const [before] = await accounts.stores.sessions.ofUser('user_ann')
  const callback = await callbackOf(ann)
  for (const name of ['accessToken', 'refreshToken']) ann.cookies.delete(name)
  expect((await ann.get(callback)).status).toBe(200)
  const after = await accounts.stores.sessions.ofUser('user_ann')
  expect(after).toHaveLength(1)
  expect(after[0]?.sessionId).not.toBe(before?.sessionId)
  expect(accounts.recorded.named('session_ended')).toMatchObject([{ userId: 'user_ann', ip: '127.0.0.1' }])
})

test('[SSO.1] refuses a token for another client, by another key or with another nonce', async () => {
  const { accounts, upstream } = await world()
  await accounts.user('ann')
  await accounts.stores.credentials.linkIdentity(upstream.issuer, 'a', 'user_ann')
  upstream.user = { subject: 'a' }
  for (const claims of [{ aud: 'another' }, { nonce: 'x' }, { iss: 'https://evil.example' }, { sub: 'b' }]) {
    const surfer = new Surfer(accounts.url)
    const callback = await callbackOf(surfer)
    upstream.tamper = (body) =>
      body.replace(/"id_token":"([^"]*)"/, (_all, token: string) => `"id_token":"${changed(token, claims)}"`)
    expect((await surfer.get(callback)).status).toBe(403)
    upstream.tamper = undefined
    expect(surfer.cookies.has('accessToken')).toBe(false)
  }
}, 30_000)

test('[SSO.1] refuses a login cancelled at the provider, and names a provider that is down as the cause', async () => {
  const { accounts, upstream } = await world()
  const surfer = new Surfer(accounts.url)
  expect(textOf((await logInThere(surfer)).text)).toContain('The provider did not log you in.')
  const down = await startAccounts({
    provider: { ...upstream.settings, issuer: new URL('http://127.0.0.1:9/') },
  })
  const page = await new Surfer(down.url).get('/login')
  expect(page.text).toContain('Log in with Example Inc.')
  const other = new Surfer(down.url)
  const seen = await other.submit(await other.get('/login'), '/login/sso')
  expect([seen.status, textOf(seen.text).includes('cannot be reached')]).toEqual([502, true])
})

/** The address with which the provider sends this browser back, not yet asked. */
async function callbackOf(surfer: Surfer): Promise<string> {
  const page = await surfer.get('/login?again=1')
  const leaving = await surfer.submit(page, '/login/sso')
  let next = /content="0;url=([^"]*)"/.exec(leaving.text)?.[1]?.replaceAll('&amp;', '&') ?? ''
  for (let hops = 0; hops < 8 && !next.includes('/login/sso/callback'); hops++)
    next = new URL((await surfer.send('GET', next)).headers.get('location')?.[0] ?? '', next).href
  return next
}

/** The same token with other claims, and the signature of the old ones. */
function changed(token: string, claims: object): string {
  const [header, payload = '', signature] = token.split('.')
  const read: object = JSON.parse(Buffer.from(payload, 'base64url').toString())
  return [header, Buffer.from(JSON.stringify({ ...read, ...claims })).toString('base64url'), signature].join(
    '.',
  )
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

test('[ADDR.7] does not block an address for provider answers that another page makes a browser replay', async () => {
  const { accounts, upstream } = await world()
  await accounts.user('ann')
  upstream.user = { subject: 'stranger', email: 'eve@example.com' }
  for (let count = 0; count < 12; count++) {
    const attacker = new Surfer(accounts.url)
    await attacker.post('/login/sso', hiddenFields((await attacker.get('/login')).text, '/login/sso'))
    const planted = `providerLogin=${attacker.cookies.get('providerLogin')}`
    const path = '/login/sso/callback?code=x&state=x'
    const seen = await new Surfer(accounts.url).send('GET', path, undefined, { cookie: planted })
    expect(textOf(seen.text)).toContain('The provider did not log you in.')
    expect(textOf((await logInThere(new Surfer(accounts.url))).text)).toContain(
      'No account on this bridge is linked',
    )
  }
  expect(accounts.recorded.named('login_failed').length).toBeGreaterThan(10)
  expect(accounts.recorded.named('address_blocked')).toEqual([])
  expect((await accounts.login('ann')).cookies.has('accessToken')).toBe(true)
})
