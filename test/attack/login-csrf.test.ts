import { expect, test } from 'vitest'
import { PASSWORD, startAccounts, type TestAccounts } from '../support/accounts.ts'
import { hiddenFields, type Seen, Surfer } from '../support/surfer.ts'

/** Every form of a logged-in user. */
const FORMS = [
  ['/logout', {}],
  ['/account/password', { currentPassword: PASSWORD, newPassword: 'the attacker’s password' }],
  ['/account/codes/on', { currentPassword: PASSWORD, code: '000000' }],
  ['/account/codes/off', { currentPassword: PASSWORD }],
  ['/account/delete', { currentPassword: PASSWORD, email: 'ann@example.com' }],
  ['/account/sessions/end', { sessionId: 'x' }],
  ['/account/sessions/end-others', {}],
  ['/account/devices/end', { deviceId: 'x' }],
  ['/account/passkeys/remove', { currentPassword: PASSWORD, id: 'x' }],
  ['/account/users/suspend', { userId: 'user_bob' }],
  ['/account/users/resume', { userId: 'user_bob' }],
  ['/account/users/logout', { userId: 'user_bob' }],
] as const
const QUESTIONS = [
  '/account/passkeys/begin',
  '/account/passkeys/add',
  '/login/passkey/begin',
  '/login/passkey',
]

/** Headers that a browser sends for a page of another site, or one that hides its origin. */
const FOREIGN: readonly Readonly<Record<string, string>>[] = [
  { origin: 'https://evil.example' },
  { origin: 'null' },
  { origin: '', 'sec-fetch-site': 'cross-site' },
  { origin: '', 'sec-fetch-site': 'same-site' },
  { origin: '', 'sec-fetch-site': 'none' },
  { origin: '' },
]

async function accountsOfAnn(): Promise<{ readonly accounts: TestAccounts; readonly ann: Surfer }> {
  const accounts = await startAccounts()
  await accounts.user('ann', { role: 'admin' })
  await accounts.user('bob')
  return { accounts, ann: await accounts.login('ann') }
}

async function tokenOf(surfer: Surfer): Promise<string> {
  return hiddenFields((await surfer.get('/account')).text, '/logout').formToken ?? ''
}

test('[CSRF.1] refuses every form from a page of another origin, even with the right token', async () => {
  const { accounts, ann } = await accountsOfAnn()
  const formToken = await tokenOf(ann)
  const statuses = new Set<number>()
  for (const headers of [
    ...FOREIGN,
    { origin: accounts.url.replace(/:\d+$/, '') },
    { origin: `${accounts.url}0` },
  ])
    for (const [path, fields] of FORMS)
      statuses.add((await ann.post(path, { ...fields, formToken }, headers)).status)
  expect([...statuses]).toEqual([403])
  await expectNothingHappened(accounts, ann)
})

test('[CSRF.2] refuses every form without its token or with that of another login', async () => {
  const { accounts, ann } = await accountsOfAnn()
  const bobs = await tokenOf(await accounts.login('bob'))
  const visitors = hiddenFields((await new Surfer(accounts.url).get('/login')).text, '/login').formToken ?? ''
  for (const formToken of ['', 'x', bobs, visitors])
    for (const [path, fields] of FORMS)
      expect((await ann.post(path, { ...fields, formToken })).status, path).toBe(403)
  const twice = `formToken=${await tokenOf(ann)}&formToken=x`
  const type = { 'content-type': 'application/x-www-form-urlencoded', origin: accounts.url }
  expect((await ann.send('POST', '/logout', twice, type)).status).toBe(400)
  await expectNothingHappened(accounts, ann)
})

test('[CSRF.1] [CSRF.2] refuses script requests of another origin or without the token, and forms that pose as scripts', async () => {
  const { accounts, ann } = await accountsOfAnn()
  const token = await tokenOf(ann)
  const ask = (path: string, headers: Readonly<Record<string, string>>): Promise<Seen> =>
    ann.send('POST', path, '{}', { 'content-type': 'application/json', ...headers })
  for (const path of QUESTIONS) {
    for (const headers of FOREIGN)
      expect((await ask(path, { ...headers, 'x-form-token': token })).status, path).toBe(403)
    expect((await ask(path, { origin: accounts.url })).status, path).toBe(403)
    const posed = { origin: accounts.url, 'content-type': 'text/plain', 'x-form-token': token }
    expect((await ask(path, posed)).status, path).toBe(400)
  }
  for (const headers of FOREIGN)
    expect((await ann.send('POST', '/auth/refresh', '', headers)).status).toBe(403)
})

test('[CSRF.2] refuses a login form that another browser requested', async () => {
  const { accounts } = await accountsOfAnn()
  const attacker = new Surfer(accounts.url)
  const fields = hiddenFields((await attacker.get('/login')).text, '/login')
  const victim = new Surfer(accounts.url)
  await victim.get('/login')
  const seen = await victim.post('/login', { ...fields, email: 'bob@example.com', password: PASSWORD })
  expect(seen.status).toBe(403)
  expect(victim.cookies.has('accessToken')).toBe(false)
  const foreign = await attacker.post(
    '/login',
    { ...fields, email: 'bob@example.com', password: PASSWORD },
    { origin: 'https://evil.example' },
  )
  expect(foreign.status).toBe(403)
})

test('[PAGE.4] never redirects a login to another site', async () => {
  const { accounts } = await accountsOfAnn()
  for (const returnTo of ['https://evil.example/', '//evil.example', '/\\evil.example', '/\t/evil.example']) {
    const surfer = new Surfer(accounts.url)
    const page = await surfer.get(`/login?returnTo=${encodeURIComponent(returnTo)}`)
    expect(page.text).not.toContain('evil.example')
    const fields = hiddenFields(page.text, '/login')
    const seen = await surfer.post('/login', {
      ...fields,
      returnTo,
      email: 'ann@example.com',
      password: PASSWORD,
    })
    expect(seen.headers.get('location')).toEqual(['/account'])
    const again = await surfer.send('GET', `/login?returnTo=${encodeURIComponent(returnTo)}`)
    expect(again.headers.get('location')).toEqual(['/account'])
  }
})

test('[PAGE.1] escapes every name that a peer chose', async () => {
  const { accounts } = await accountsOfAnn()
  const nasty = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
  const nowMs = Date.now()
  const common = {
    userId: 'user_ann',
    createdAtMs: nowMs,
    seenAtMs: nowMs,
    expiresAtMs: nowMs + 60_000,
    label: nasty,
  }
  await accounts.stores.sessions.add({ ...common, sessionId: 'a', kind: 'client' })
  await accounts.stores.sessions.add({ ...common, sessionId: 'b', kind: 'browser' })
  await accounts.stores.sessions.add({ ...common, sessionId: 'c', kind: 'device', deviceId: 'd' })
  const key = { keyId: nasty, algorithm: 'Ed25519', generation: 1, jwk: '{}' } as const
  await accounts.stores.devices.add({
    deviceId: 'd',
    userId: 'user_ann',
    sessionId: 'c',
    name: nasty,
    keys: [key],
    createdAtMs: nowMs,
    usedAtMs: nowMs,
  })
  await accounts.stores.credentials.addPasskey({
    credentialId: nasty,
    userId: 'user_ann',
    name: nasty,
    publicKey: '',
    counter: 0,
    transports: [],
    createdAtMs: nowMs,
  })
  await accounts.stores.users.add({
    userId: 'n',
    email: `${nasty}@x`,
    tokenVersion: 0,
    createdAtMs: 0,
    state: 'active',
  })
  const ann = new Surfer(accounts.url, nasty)
  const login = await ann.get('/login')
  const wrong = await ann.submit(login, '/login', { email: nasty, password: 'wrong', returnTo: nasty })
  await ann.submit(login, '/login', { email: 'ann@example.com', password: PASSWORD })
  const pages = [wrong]
  for (const path of [
    '/account',
    '/account/users',
    '/account/passkeys',
    `/account/${nasty}`,
    `/login?again=1&returnTo=${nasty}`,
  ])
    pages.push(await ann.get(encodeURI(path)))
  for (const { text, path } of pages) {
    expect(text.replaceAll(/<script src="\/account\/passkeys\.js" defer><\/script>/g, ''), path).not.toMatch(
      /<script|<img/,
    )
  }
})

async function expectNothingHappened(accounts: TestAccounts, ann: Surfer): Promise<void> {
  expect((await ann.get('/account')).path).toBe('/account')
  expect(await accounts.stores.users.findById('user_bob')).toMatchObject({ state: 'active', tokenVersion: 0 })
  await accounts.login('ann')
  const names = accounts.recorded.names
  for (const event of ['password_changed', 'session_ended', 'user_suspended', 'user_deleted'] as const)
    expect(names).not.toContain(event)
}
