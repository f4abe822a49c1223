import { RENEWALS } from '@bridgekeeper/standalone/testing'
import { expect, test } from 'vitest'
import { PASSWORD, startAccounts, type TestAccounts } from '../support/accounts.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { hiddenFields, Surfer, textOf } from '../support/surfer.ts'

const MINUTE_MS = 60_000
const FIELDS = { email: 'ann@example.com', password: PASSWORD }

interface World {
  readonly system: FakeSystem
  readonly accounts: TestAccounts
  readonly ann: Surfer
}

async function world(role: 'user' | 'admin' = 'user'): Promise<World> {
  const system = new FakeSystem()
  const accounts = await startAccounts({ system })
  await accounts.user('ann', { role })
  return { system, accounts, ann: await accounts.login('ann') }
}

function refresh(surfer: Surfer, { url }: TestAccounts) {
  return surfer.send('POST', '/auth/refresh', '', { origin: url })
}

function cookieNames(setCookies: readonly string[] = []): string[] {
  return setCookies.map((text) => text.slice(0, text.indexOf('=')))
}

test('[LOGIN.10] renews a session 30 times a minute, keeps its cookies when it refuses, and renews again later', async () => {
  const { accounts, system, ann } = await world()
  for (let count = 0; count < RENEWALS.max; count++) expect((await refresh(ann, accounts)).status).toBe(200)
  const before = new Map(ann.cookies)
  const denied = await refresh(ann, accounts)
  expect([denied.status, JSON.parse(denied.text).error.code]).toEqual([429, 'rate_limit_exceeded'])
  expect(denied.headers.get('retry-after')).toEqual(['60'])
  expect(new Map(ann.cookies)).toEqual(before)
  system.advance(RENEWALS.windowMs)
  expect((await refresh(ann, accounts)).status).toBe(200)
})

test('[LOGIN.6] forgets the cookies of a refresh token that is forged or whose login has ended', async () => {
  const { accounts, ann } = await world()
  const forger = new Surfer(accounts.url)
  for (const forged of ['x', `${ann.cookies.get('refreshToken')}x`]) {
    forger.cookies.set('refreshToken', forged)
    const denied = await refresh(forger, accounts)
    expect([denied.status, JSON.parse(denied.text).error.code]).toEqual([401, 'login_required'])
    expect(cookieNames(denied.headers.get('set-cookie'))).toEqual(['accessToken', 'refreshToken'])
  }
  // Without a refresh token there is nothing to forget.
  expect((await refresh(new Surfer(accounts.url), accounts)).headers.has('set-cookie')).toBe(false)
  const [session] = await accounts.stores.sessions.ofUser('user_ann')
  await accounts.stores.sessions.end(session?.sessionId ?? '')
  expect(cookieNames((await refresh(ann, accounts)).headers.get('set-cookie'))).toEqual([
    'accessToken',
    'refreshToken',
  ])
})

test('[LOGIN.6] ends a login whose refresh token is used again after ten seconds', async () => {
  for (const [afterMs, status] of [
    [10_000, 200],
    [10_001, 401],
  ] as const) {
    const { accounts, system, ann } = await world()
    const copy = new Surfer(accounts.url)
    copy.cookies.set('refreshToken', ann.cookies.get('refreshToken') ?? '')
    await refresh(ann, accounts)
    system.advance(afterMs)
    expect((await refresh(copy, accounts)).status).toBe(status)
    const reused = accounts.recorded.named('refresh_token_reused')
    expect(reused).toMatchObject(status === 200 ? [] : [{ userId: 'user_ann' }])
    expect((await accounts.stores.sessions.ofUser('user_ann')).length).toBe(status === 200 ? 1 : 0)
  }
})

test('[LOGIN.6] ends a login whose refresh token was used nine renewals ago', async () => {
  const { accounts, ann } = await world()
  const copy = new Surfer(accounts.url)
  copy.cookies.set('refreshToken', ann.cookies.get('refreshToken') ?? '')
  for (let count = 0; count < 9; count++) await refresh(ann, accounts)
  expect((await refresh(copy, accounts)).status).toBe(401)
  expect(accounts.recorded.named('refresh_token_reused')).toHaveLength(1)
})

test('[LOGIN.5] does not renew the login of a suspended user', async () => {
  const { accounts, ann } = await world()
  ann.cookies.delete('accessToken')
  await accounts.stores.users.setState('user_ann', 'suspended')
  expect((await refresh(ann, accounts)).status).toBe(401)
  expect(ann.cookies.has('refreshToken')).toBe(false)
})

test('[LOGIN.5] gives no token more time than its login has left', async () => {
  const { accounts, system, ann } = await world()
  system.advance(30 * 86_400_000 - 5 * MINUTE_MS)
  const { headers } = await refresh(ann, accounts)
  expect(headers.get('set-cookie')).toEqual([
    expect.stringMatching(/^accessToken=[^;]+; Max-Age=300;/),
    expect.stringMatching(/^refreshToken=[^;]+; Max-Age=300;/),
  ])
})

test('[LOGIN.8] continues through its own page only for another site’s link without a refresh token', async () => {
  const { url } = await startAccounts()
  for (const [method, from, hasToken, status] of [
    ['GET', 'cross-site', false, 200],
    ['GET', 'cross-site', true, 303],
    ['GET', 'same-site', false, 303],
    ['GET', '', false, 303],
    ['HEAD', 'cross-site', false, 303],
  ] as const) {
    const surfer = new Surfer(url)
    if (hasToken) surfer.cookies.set('refreshToken', 'x')
    const seen = await surfer.send(method, '/account', undefined, { 'sec-fetch-site': from })
    expect([method, from, hasToken, seen.status]).toEqual([method, from, hasToken, status])
  }
})

test('[CSRF.2] keeps the id of a visit for an hour, and replaces a planted one of another form', async () => {
  const { url } = await startAccounts()
  const surfer = new Surfer(url)
  const first = await surfer.get('/login')
  expect(first.headers.get('set-cookie')).toEqual([
    expect.stringMatching(/^visit=[\w-]{43}; Max-Age=3600; Path=\/; HttpOnly; SameSite=Strict$/),
  ])
  const again = await surfer.get('/login')
  expect(again.headers.has('set-cookie')).toBe(false)
  expect(hiddenFields(again.text, '/login')).toEqual(hiddenFields(first.text, '/login'))
  for (const planted of ['x', `${'x'.repeat(43)}y`, `.${'x'.repeat(42)}`]) {
    surfer.cookies.set('visit', planted)
    expect((await surfer.get('/login')).headers.get('set-cookie')).toHaveLength(1)
    expect(surfer.cookies.get('visit')).not.toBe(planted)
  }
})

test('[PAGE.9] refuses a form of another type, or one that is too large, with a page', async () => {
  const { accounts, ann } = await world()
  for (const [surfer, path] of [
    [new Surfer(accounts.url), '/login'],
    [ann, '/logout'],
  ] as const) {
    const text = await surfer.post(path, {}, { 'content-type': 'text/plain' })
    expect([text.status, text.text.includes('<h1>That did not work</h1>')]).toEqual([400, true])
    const large = await surfer.post(path, { a: 'x'.repeat(65_536) })
    expect([large.status, large.text.includes('<h1>That did not work</h1>')]).toEqual([413, true])
  }
})

test('[CSRF.1] names the foreign origin or the stale form as the reason of a refusal', async () => {
  const { accounts, ann } = await world()
  for (const [surfer, path] of [
    [new Surfer(accounts.url), '/login'],
    [ann, '/logout'],
  ] as const) {
    const foreign = await surfer.post(path, {}, { origin: 'https://evil.example' })
    expect(textOf(foreign.text)).toContain('Pages of this origin may not use this bridge.')
    const stale = await surfer.post(path, { formToken: 'x' })
    expect(textOf(stale.text)).toContain('The form is too old, or no page of this bridge sent it.')
  }
})

test('[ACCT.9] accepts a login of the last five minutes by any method, in its own browser and session', async () => {
  const { accounts, system, ann } = await world('admin')
  await accounts.user('bob')
  const act = async (surfer: Surfer) => {
    const { formToken = '' } = hiddenFields((await surfer.get('/account')).text, '/logout')
    const seen = await surfer.post('/account/users/logout', { formToken, userId: 'user_bob' })
    return seen.headers.get('location')
  }
  const again = ['/login?again=1&returnTo=%2Faccount%2Fusers']
  system.advance(299_999)
  expect(await act(ann)).toEqual(['/account/users'])
  system.advance(1)
  expect(await act(ann)).toEqual(again)

  await ann.submit(await ann.get('/login?again=1'), '/login', FIELDS)
  const confirmed = ann.cookies.get('confirmed') ?? ''
  expect(await act(ann)).toEqual(['/account/users'])
  // The proof of another login, or a forged one, counts for nothing.
  const elsewhere = await accounts.login('ann')
  for (const planted of [confirmed, 'x']) {
    elsewhere.cookies.set('confirmed', planted)
    expect(await act(elsewhere)).toEqual(again)
  }
  elsewhere.cookies.delete('confirmed')
  expect(await act(elsewhere)).toEqual(again)
})

test('[ACCT.5] still asks for the password right after a login by password', async () => {
  const { ann } = await world()
  expect((await ann.get('/account/password')).text).toContain('name="currentPassword"')
})
