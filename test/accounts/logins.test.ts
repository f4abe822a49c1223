import { expect, test } from 'vitest'
import { PASSWORD, startAccounts } from '../support/accounts.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { hiddenFields, Surfer, textOf } from '../support/surfer.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

test('[LOGIN.2] sets cookies for the bridge only, secure over TLS, for 15 minutes and 30 days', async () => {
  for (const [issuer, secure] of [
    [undefined, false],
    ['https://bridge.example.com', true],
  ] as const) {
    const accounts = await startAccounts({
      ...(issuer && { issuer, bridge: { publicUrls: [issuer] } }),
    })
    await accounts.user('ann')
    const ann = new Surfer(accounts.url)
    const page = await ann.get('/login')
    const fields = { ...hiddenFields(page.text, '/login'), email: 'ann@example.com', password: PASSWORD }
    const answer = await ann.post('/login', fields, { origin: issuer ?? accounts.url })
    expect(answer.status).toBe(303)
    const cookies = answer.headers.get('set-cookie') ?? []
    const end = `; Path=/; HttpOnly${secure ? '; Secure' : ''}; SameSite=Strict`
    expect(cookies).toEqual([
      expect.stringMatching(new RegExp(`^accessToken=[\\w.-]+; Max-Age=900${end}$`)),
      expect.stringMatching(
        new RegExp(`^${secure ? '__Host-' : ''}refreshToken=[\\w.-]+; Max-Age=2592000${end}$`),
      ),
      expect.stringMatching(new RegExp(`^${secure ? '__Host-' : ''}confirmed=[\\w.-]+; Max-Age=300${end}$`)),
    ])
  }
})

test('[LOGIN.5] renews an expired access token while serving a page', async () => {
  const system = new FakeSystem()
  const accounts = await startAccounts({ system })
  await accounts.user('ann')
  const ann = await accounts.login('ann')
  const before = new Map(ann.cookies)
  system.advance(16 * MINUTE_MS)
  expect((await ann.get('/account')).status).toBe(200)
  for (const name of ['accessToken', 'refreshToken']) expect(ann.cookies.get(name)).not.toBe(before.get(name))
  // A form that was open before is still good: it is bound to the login, not to its token.
  const page = await ann.get('/logout')
  system.advance(16 * MINUTE_MS)
  expect(textOf((await ann.submit(page, '/logout')).text)).toContain('You are logged out')
})

test('[LOGIN.5] renews at /auth/refresh, and refuses a request without a refresh token', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann')
  const ann = await accounts.login('ann')
  ann.cookies.delete('accessToken')
  const refreshed = await ann.send('POST', '/auth/refresh', '', { origin: accounts.url })
  expect([refreshed.status, JSON.parse(refreshed.text)]).toEqual([200, { userId: 'user_ann' }])
  expect(ann.cookies.has('accessToken')).toBe(true)
  const nobody = await new Surfer(accounts.url).send('POST', '/auth/refresh', '', { origin: accounts.url })
  expect(nobody.status).toBe(401)
  expect(JSON.parse(nobody.text)).toMatchObject({ error: { code: 'login_required' } })
})

test('[LOGIN.5] ends a login after 30 days, however often it was renewed', async () => {
  const system = new FakeSystem()
  const accounts = await startAccounts({ system })
  await accounts.user('ann')
  const ann = await accounts.login('ann')
  for (let days = 0; days < 29; days += 7) {
    system.advance(7 * DAY_MS)
    const seen = await ann.get('/account')
    expect(textOf(seen.text).includes('Your account')).toBe(days < 28)
  }
  expect((await ann.get('/account')).path).toBe('/login?returnTo=%2Faccount')
})

test('[LOGIN.6] renews every tab that uses one refresh token within ten seconds', async () => {
  const system = new FakeSystem()
  const accounts = await startAccounts({ system })
  await accounts.user('ann')
  const ann = await accounts.login('ann')
  system.advance(16 * MINUTE_MS)
  const tab = new Surfer(accounts.url)
  for (const [name, value] of ann.cookies) tab.cookies.set(name, value)
  const refreshToken = ann.cookies.get('refreshToken') ?? ''
  const [one, other] = await Promise.all([ann.get('/account'), tab.get('/account')])
  expect([one, other].map(({ text }) => textOf(text).includes('Your account'))).toEqual([true, true])
  const late = new Surfer(accounts.url)
  late.cookies.set('refreshToken', refreshToken)
  system.advance(10_000)
  expect((await late.get('/account')).path).toBe('/account')
  expect(accounts.recorded.named('refresh_token_reused')).toEqual([])
  expect(await accounts.stores.sessions.ofUser('user_ann')).toHaveLength(1)
})

test('[LOGIN.7] starts a new login with a new password, and ends the others if asked', async () => {
  for (const [endOthers, left] of [
    ['yes', 1],
    ['', 2],
  ] as const) {
    const accounts = await startAccounts()
    await accounts.user('ann')
    const elsewhere = await accounts.login('ann')
    const ann = await accounts.login('ann')
    const before = await accounts.stores.sessions.ofUser('user_ann')
    const page = await ann.get('/account/password')
    await ann.submit(page, '/account/password', {
      currentPassword: PASSWORD,
      newPassword: 'another good password',
      endOthers,
    })
    const after = await accounts.stores.sessions.ofUser('user_ann')
    expect(after).toHaveLength(left)
    const kept = before.filter(({ sessionId }) => after.some((session) => session.sessionId === sessionId))
    expect(kept).toHaveLength(left - 1)
    expect((await ann.get('/account')).path).toBe('/account')
    expect((await elsewhere.get('/account')).path.startsWith('/login')).toBe(left === 1)
    expect(accounts.recorded.named('password_changed')).toHaveLength(1)
  }
})

test('[LOGIN.8] refuses bearer tokens and operator tokens at pages', async () => {
  const accounts = await startAccounts()
  const user = await accounts.user('ann', { role: 'admin' })
  const { accessToken } = await accounts.tokens.issue(user, MINUTE_MS)
  const surfer = new Surfer(accounts.url)
  const bearer = await surfer.send('GET', '/account/users', undefined, {
    authorization: `Bearer ${accessToken}`,
  })
  expect(bearer.status).toBe(303)
  surfer.cookies.set('accessToken', accessToken)
  expect((await surfer.send('GET', '/account/users')).status).toBe(303)
})

test('[LOGIN.8] redirects once a visitor from another site whose strict cookies are missing', async () => {
  const accounts = await startAccounts()
  const surfer = new Surfer(accounts.url)
  const seen = await surfer.send('GET', '/account', undefined, { 'sec-fetch-site': 'cross-site' })
  expect([seen.status, seen.text.includes('http-equiv="refresh" content="0;url=/account"')]).toEqual([
    200,
    true,
  ])
  const again = await surfer.send('GET', '/account', undefined, { 'sec-fetch-site': 'same-origin' })
  expect(again.headers.get('location')).toEqual(['/login?returnTo=%2Faccount'])
})

test('[LOGIN.3] ends the browser’s previous login, and names the browser in fixed words', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann')
  const ann = await accounts.login('ann')
  const [first] = await accounts.stores.sessions.ofUser('user_ann')
  const page = await ann.get('/login?again=1')
  await ann.submit(page, '/login', { email: 'ann@example.com', password: PASSWORD })
  const sessions = await accounts.stores.sessions.ofUser('user_ann')
  expect(sessions).toMatchObject([{ kind: 'browser', label: 'Firefox on Linux' }])
  expect(sessions[0]?.sessionId).not.toBe(first?.sessionId)
})

test('[LOGIN.1] refuses an unexpired operator token once its login ends', async () => {
  const accounts = await startAccounts()
  const user = await accounts.user('ann')
  const { accessToken, sessionId } = await accounts.tokens.issue(user, MINUTE_MS)
  expect(await accounts.stores.sessions.find(sessionId)).toMatchObject({ kind: 'token', userId: user.userId })
  expect(await accounts.tokens.authenticate(accessToken)).toMatchObject({ allowed: true })
  const ann = await accounts.login('ann')
  const page = await ann.get('/account')
  expect(textOf(page.text)).toContain('Token from the command line')
  await ann.submit(page, '/account/sessions/end', { sessionId })
  expect(accounts.tokens.recall(accessToken)).toBeUndefined()
  expect(await accounts.tokens.authenticate(accessToken)).toMatchObject({
    allowed: false,
    code: 'login_revoked',
  })
})
