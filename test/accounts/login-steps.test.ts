import { deny, type Verdict } from '@bridgekeeper/bridge'
import { seal } from '@bridgekeeper/bridge/testing'
import { Secret, TOTP } from 'otpauth'
import { expect, test } from 'vitest'
import {
  PAGE_KEY,
  PASSWORD,
  startAccounts,
  type TestAccounts,
  type TestOptions,
} from '../support/accounts.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { hiddenFields, type Seen, Surfer, textOf } from '../support/surfer.ts'

const ADDRESS = { ip: '203.0.113.1', key: '203.0.113.1', isProxy: false }
const FIELDS = { email: 'ann@example.com', password: PASSWORD }

interface World {
  readonly system: FakeSystem
  readonly accounts: TestAccounts
  readonly surfer: Surfer
  readonly code: () => string
}

/** Ann with codes on, and a browser without a login. */
async function withCodes(options: TestOptions = {}): Promise<World> {
  const system = new FakeSystem()
  const accounts = await startAccounts({ system, ...options })
  await accounts.user('ann')
  const secret = new Secret({ size: 20 })
  const sealed = seal(PAGE_KEY, 'second factor of user_ann', secret.base32, system)
  await accounts.stores.credentials.setTotp('user_ann', sealed)
  const code = () => TOTP.generate({ secret, timestamp: system.nowMs() })
  return { system, accounts, surfer: new Surfer(accounts.url), code }
}

async function passwordStep(surfer: Surfer, returnTo = '/account'): Promise<Seen> {
  const page = await surfer.get(`/login?returnTo=${encodeURIComponent(returnTo)}`)
  return surfer.submit(page, '/login', FIELDS)
}

test('[TOTP.2] shows the code page again after a wrong code, with its reason, and continues after the right one', async () => {
  const { accounts, surfer, code } = await withCodes()
  const step = await passwordStep(surfer, '/account/users')
  expect(step.status).toBe(200)
  for (const wrong of [{ code: '000000' }, { code: '' }, {}]) {
    const again = await surfer.submit(step, '/login/code', wrong as Record<string, string>)
    expect(again.status).toBe(403)
    expect(textOf(again.text)).toContain('The code is wrong, or was used before. Wait for the next one.')
    expect(hiddenFields(again.text, '/login/code')).toEqual(hiddenFields(step.text, '/login/code'))
  }
  expect(accounts.recorded.named('login_failed')[0]).toMatchObject({
    reason: 'code_wrong',
    userId: 'user_ann',
  })
  const fields = { ...hiddenFields(step.text, '/login/code'), code: code() }
  const seen = await surfer.post('/login/code', fields)
  expect([seen.status, seen.headers.get('location')]).toEqual([303, ['/account/users']])
})

test('[TOTP.2] keeps the step between password and code for ten minutes', async () => {
  for (const [afterMs, path] of [
    [599_999, '/account'],
    [600_000, '/login'],
  ] as const) {
    const { system, surfer, code } = await withCodes()
    const step = await passwordStep(surfer)
    system.advance(afterMs)
    const fields = { ...hiddenFields(step.text, '/login/code'), code: code() }
    expect((await surfer.post('/login/code', fields)).headers.get('location')).toEqual([path])
  }
})

test('[TOTP.2] starts again without a step', async () => {
  const { surfer, code } = await withCodes()
  const { step: _, ...fields } = hiddenFields((await passwordStep(surfer)).text, '/login/code')
  for (const step of [{}, { step: '' }, { step: 'v1.AAAA' }])
    expect(
      (await surfer.post('/login/code', { ...fields, ...step, code: code() })).headers.get('location'),
    ).toEqual(['/login'])
})

test('[ACCT.7] [TOTP.2] refuses the right code of a user who was suspended or deleted after the password', async () => {
  for (const end of [
    ({ stores }: TestAccounts) => stores.users.setState('user_ann', 'suspended'),
    ({ stores }: TestAccounts) => stores.users.remove('user_ann'),
  ]) {
    const { accounts, surfer, code } = await withCodes()
    const step = await passwordStep(surfer)
    await end(accounts)
    expect((await surfer.submit(step, '/login/code', { code: code() })).status).toBe(403)
    expect(surfer.cookies.has('accessToken')).toBe(false)
  }
})

test('[LIMIT.2] says on the code page when to try again', async () => {
  const { surfer, code } = await withCodes()
  const step = await passwordStep(surfer)
  for (let count = 0; count < 5; count++) await surfer.submit(step, '/login/code', { code: '000000' })
  const limited = await surfer.submit(step, '/login/code', { code: code() })
  expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, ['900']])
  expect(textOf(limited.text)).toContain('Too many logins in too short a time. Try again in 15 minutes.')
  expect(textOf(limited.text)).toContain('One more step')
})

test('[LIMIT.1] says in minutes when to try again', async () => {
  const system = new FakeSystem()
  const accounts = await startAccounts({ system })
  await accounts.user('ann')
  const surfer = new Surfer(accounts.url)
  const attempt = async () =>
    surfer.submit(await surfer.get('/login'), '/login', { ...FIELDS, password: 'x' })
  for (let count = 0; count < 5; count++) await attempt()
  system.advance(13 * 60_000 - 1)
  expect(textOf((await attempt()).text)).toContain('Try again in 3 minutes.')
  system.advance(1)
  expect(textOf((await attempt()).text)).toContain('Try again in 2 minutes.')
  system.advance(60_000)
  expect(textOf((await attempt()).text)).toContain('Try again in a minute.')
})

test('[PAGE.4] continues to a page outside the account through a page of the bridge', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann')
  const surfer = new Surfer(accounts.url)
  const page = await surfer.get('/login?returnTo=%2Fdevice%3Fuser_code%3DA')
  const seen = await surfer.submit(page, '/login', FIELDS)
  expect(seen.status).toBe(200)
  expect(seen.text).toContain('http-equiv="refresh" content="0;url=/device?user_code=A"')
  expect((await surfer.send('GET', '/login?returnTo=/account/users')).headers.get('location')).toEqual([
    '/account/users',
  ])
})

test('[ACCT.3] asks again without a password, an email or any field', async () => {
  const { url } = await startAccounts()
  const surfer = new Surfer(url)
  const page = await surfer.get('/login')
  const { formToken = '' } = hiddenFields(page.text, '/login')
  const seen = await surfer.post('/login', { formToken })
  expect([seen.status, textOf(seen.text).includes('The email or the password is wrong.')]).toEqual([
    403,
    true,
  ])
  expect(seen.text).toContain(
    'name="email" type="email" autocomplete="username" maxlength="254" required value=""',
  )
})

/** A door that counts the checks in flight, and refuses new ones once it is shut. */
function countingDoor() {
  const door = {
    isShut: false,
    begun: 0,
    ended: 0,
    enter: () => ({ allowed: true, value: ADDRESS }) as const,
    beginCheck: async (): Promise<Verdict<() => void>> => {
      if (door.isShut) return deny('address_blocked')
      door.begun++
      return { allowed: true, value: () => void door.ended++ }
    },
    failed: () => {},
  }
  return door
}

test('[ADDR.8] ends every check of a password, code and passkey, right or wrong, also if the store is down', async () => {
  const door = countingDoor()
  const { accounts, surfer, code } = await withCodes({ parts: { door } })
  const step = await passwordStep(surfer)
  await surfer.submit(await surfer.get('/login'), '/login', { ...FIELDS, password: 'wrong' })
  await surfer.submit(step, '/login/code', { code: '000000' })
  const page = await surfer.get('/login')
  const token = /data-token="([^"]*)"/.exec(page.text)?.[1] ?? ''
  const json = { 'content-type': 'application/json', origin: accounts.url, 'x-form-token': token }
  const passkey = () => surfer.send('POST', '/login/passkey', '{"returnTo":"/account"}', json)
  expect((await passkey()).status).toBe(403)
  await surfer.submit(step, '/login/code', { code: code() })
  expect([door.begun, door.ended]).toEqual([5, 5])

  door.isShut = true
  const stranger = new Surfer(accounts.url)
  const fields = hiddenFields((await stranger.get('/login')).text, '/login')
  const refused = await stranger.post('/login', { ...fields, ...FIELDS })
  expect([refused.status, textOf(refused.text).includes('This address failed too often')]).toEqual([
    403,
    true,
  ])
  const codeRefused = await surfer.post('/login/code', {
    ...hiddenFields(step.text, '/login/code'),
    code: '1',
  })
  expect(textOf(codeRefused.text)).toContain('This address failed too often')
  expect(JSON.parse((await passkey()).text)).toMatchObject({ error: { code: 'address_blocked' } })
  expect([door.begun, door.ended]).toEqual([5, 5])
})

test('[PAGE.5] ends the check of a password and a code if the store fails midway, and logs nobody in', async () => {
  const door = countingDoor()
  const { accounts, surfer, code } = await withCodes({ parts: { door } })
  const step = await passwordStep(surfer)
  const { credentials } = accounts.stores
  const login = hiddenFields((await surfer.get('/login')).text, '/login')
  const original = credentials.find.bind(credentials)
  credentials.find = () => Promise.reject(new Error('The store is down.'))
  expect((await surfer.post('/login', { ...login, ...FIELDS })).status).toBe(500)
  const seen = await surfer.post('/login/code', { ...hiddenFields(step.text, '/login/code'), code: code() })
  expect(seen.status).toBe(500)
  credentials.find = original
  expect([door.begun, door.ended]).toEqual([3, 3])
  expect(surfer.cookies.has('accessToken')).toBe(false)
  expect(accounts.recorded.named('page_failed')).toMatchObject([
    { error: 'Error: The store is down.' },
    { error: 'Error: The store is down.' },
  ])
})
