import { LOGINS, LoginLimits, NEW_USERS } from '@bridgekeeper/standalone/testing'
import { expect, test } from 'vitest'
import { PASSWORD, startAccounts } from '../support/accounts.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { Recorded } from '../support/recorded.ts'
import { hiddenFields, Surfer, textOf } from '../support/surfer.ts'

const MINUTE_MS = 60_000
const HERE = { ip: '203.0.113.1', key: '203.0.113.1', isProxy: false }

test('[PAGE.10] answers only its own paths, and the root only to a browser', async () => {
  const { url } = await startAccounts()
  const surfer = new Surfer(url)
  const status = async (method: string, path: string) => (await surfer.send(method, path)).status
  for (const path of ['/login', '/login/', '/LOGIN'])
    expect([path, await status('HEAD', path)]).toEqual([path, await status('GET', path)])
  expect(await status('HEAD', '/login')).toBe(200)
  expect([await status('GET', '/'), await status('HEAD', '/')]).toEqual([303, 303])
  // Others than the accounts answer these with 404 in this test, and without a page.
  for (const [method, path] of [
    ['POST', '/'],
    ['GET', '/logins'],
    ['GET', '/x/login'],
  ] as const)
    expect((await surfer.send(method, path)).text).toBe('')
})

test('[CODE.1] refuses unknown paths and methods with a page, or with JSON for a program', async () => {
  const { url } = await startAccounts()
  const surfer = new Surfer(url)
  for (const [method, path, status, code] of [
    ['GET', '/account/nothing', 404, 'not_found'],
    ['GET', '/account/constructor', 404, 'not_found'],
    ['POST', '/logout/x', 404, 'not_found'],
    ['PUT', '/login', 405, 'method_not_allowed'],
    ['GET', '/login/code', 405, 'method_not_allowed'],
  ] as const) {
    const page = await surfer.send(method, path)
    expect([page.status, page.headers.get('content-type')]).toEqual([status, ['text/html; charset=utf-8']])
    expect(page.text).toContain(status === 404 ? '<h1>Nothing here</h1>' : '<h1>That did not work</h1>')
    expect(page.text).toContain(`<a href="/account">To your account</a>`)
    expect(page.text).toContain('<main class="narrow">')
    const json = await surfer.send(method, path, undefined, { accept: 'application/json' })
    expect([json.status, JSON.parse(json.text)]).toMatchObject([status, { error: { code } }])
  }
})

test('[ADDR.1] shows a blocked address a refusal at every page, also for a known path', async () => {
  const { bridge, url } = await startAccounts()
  for (let time = 0; time < 10; time++)
    bridge.frontDoor.failed({ ip: '127.0.0.1', key: '127.0.0.1', isProxy: false })
  for (const path of ['/login', '/account/nothing'])
    expect((await new Surfer(url).get(path)).status).toBe(403)
})

test('[ACCT.3] answers a wrong password and an unknown user alike, with the form and the trimmed email', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann')
  const seen = async (email: string, password: string) => {
    const surfer = new Surfer(accounts.url)
    const answer = await surfer.submit(await surfer.get('/login?returnTo=/account/users'), '/login', {
      email,
      password,
    })
    expect(surfer.cookies.has('accessToken')).toBe(false)
    expect(hiddenFields(answer.text, '/login')).toMatchObject({ returnTo: '/account/users' })
    return { status: answer.status, text: answer.text }
  }
  for (const [email, password] of [
    [' ann@example.com ', 'wrong'],
    ['eve@example.com', PASSWORD],
    ['ann@example.com', ''],
  ] as const) {
    const { status, text } = await seen(email, password)
    expect(status).toBe(403)
    expect(textOf(text)).toContain('The email or the password is wrong. Try again.')
    expect(text).toContain(`value="${email.trim()}"`)
  }
  // A longer email is cut before it is searched for.
  expect((await seen(`${'x'.repeat(300)}@example.com`, 'wrong')).text).not.toContain('x'.repeat(255))
})

test('[ACCT.7] refuses the right password of a suspended user, and says so', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann')
  await accounts.stores.users.setState('user_ann', 'suspended')
  const surfer = new Surfer(accounts.url)
  const fields = { email: 'ann@example.com', password: PASSWORD }
  const answer = await surfer.submit(await surfer.get('/login'), '/login', fields)
  expect([answer.status, surfer.cookies.has('accessToken')]).toEqual([403, false])
  expect(textOf(answer.text)).toContain('This account is suspended.')
})

test('[LIMIT.1] refuses the sixth wrong password within 15 minutes on the form, and says when to retry', async () => {
  const system = new FakeSystem()
  const accounts = await startAccounts({ system })
  await accounts.user('ann')
  const surfer = new Surfer(accounts.url)
  const attempt = async (password: string) =>
    surfer.submit(await surfer.get('/login'), '/login', { email: 'ann@example.com', password })
  for (let time = 0; time < 5; time++) expect((await attempt('wrong')).status).toBe(403)
  const limited = await attempt(PASSWORD)
  expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, ['900']])
  expect(textOf(limited.text)).toContain('Try again in 15 minutes.')
  system.advance(15 * MINUTE_MS)
  expect((await attempt(PASSWORD)).status).toBe(200)
})

test('[ACCT.9] shows a logged-in browser the login form only to confirm, with the email of its user', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann')
  const ann = await accounts.login('ann')
  expect((await ann.get('/login')).path).toBe('/account')
  expect((await ann.get('/login?again=0')).path).toBe('/account')
  const confirm = await ann.get('/login?again=1')
  expect(textOf(confirm.text)).toContain('Confirm that it is you: log in once more.')
  expect(confirm.text).toContain('value="ann@example.com"')
  const stranger = await new Surfer(accounts.url).get('/login?again=1')
  expect(textOf(stranger.text)).not.toContain('Confirm that it is you')
})

test('[ACCT.7] links the list of users on the pages of an admin only', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann')
  await accounts.user('root', { role: 'admin' })
  for (const [name, isLinked] of [
    ['ann', false],
    ['root', true],
  ] as const)
    expect((await (await accounts.login(name)).get('/account')).text.includes('href="/account/users"')).toBe(
      isLinked,
    )
})

test('[LIMIT.5] [LIMIT.6] counts logins for 15 minutes and new users for an hour, and logs the first refusal', () => {
  const system = new FakeSystem()
  const recorded = new Recorded()
  const door = {
    enter: () => {
      throw new Error('unused')
    },
    beginCheck: () => Promise.reject(new Error('unused')),
    failed: () => {},
  }
  const limits = new LoginLimits(door, recorded.securityLog, system)
  for (const [take, max, windowMs] of [
    [() => limits.login('ann', HERE), LOGINS.max, 15 * MINUTE_MS],
    [() => limits.newUser(HERE), NEW_USERS.max, 60 * MINUTE_MS],
  ] as const) {
    for (let round = 0; round < 2; round++) {
      expect(Array.from({ length: max }, take).every(({ allowed }) => allowed)).toBe(true)
      system.advance(windowMs - 1)
      expect(take()).toMatchObject({ code: 'login_limited', retryAfterSeconds: 1 })
      system.advance(1)
    }
  }
  expect([LOGINS.max, NEW_USERS.max]).toEqual([100, 100])
  expect(recorded.named('login_limited')[0]).toMatchObject({ userId: 'ann', limit: 'login', retryAfter: 1 })
})
