import { allow } from '@bridgekeeper/bridge'
import { type Session, seal } from '@bridgekeeper/bridge/testing'
import { LoginLimits } from '@bridgekeeper/standalone/testing'
import { Secret, TOTP } from 'otpauth'
import { expect, test } from 'vitest'
import { PAGE_KEY, PASSWORD, startAccounts } from '../support/accounts.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { Recorded } from '../support/recorded.ts'
import { hiddenFields, Surfer, textOf } from '../support/surfer.ts'

const ADDRESS = { ip: '203.0.113.9', key: '203.0.113.9', isProxy: false }

function browserSession(userId: string, index: number, nowMs: number): Session {
  const sessionId = `browser${index}`
  const times = { createdAtMs: nowMs, seenAtMs: nowMs - index, expiresAtMs: nowMs + 86_400_000 }
  return { sessionId, userId, kind: 'browser', label: 'Firefox', ...times }
}

function copyOf(surfer: Surfer, url: string): Surfer {
  const copy = new Surfer(url)
  for (const [name, value] of surfer.cookies) copy.cookies.set(name, value)
  return copy
}

test('[LOGIN.10] renews a session at most 30 times a minute, and does not end it for more attempts', async () => {
  const system = new FakeSystem()
  const accounts = await startAccounts({ system })
  await accounts.user('ann')
  const ann = await accounts.login('ann')
  const refresh = () => ann.send('POST', '/auth/refresh', '', { origin: accounts.url })
  const statuses: number[] = []
  for (let times = 0; times < 32; times++) statuses.push((await refresh()).status)
  expect(statuses).toEqual([...Array(30).fill(200), 429, 429])
  const denied = await refresh()
  expect([denied.headers.get('retry-after'), JSON.parse(denied.text).error.code]).toEqual([
    ['60'],
    'rate_limit_exceeded',
  ])
  system.advance(60_000)
  expect((await refresh()).status).toBe(200)
  expect(await accounts.stores.sessions.ofUser('user_ann')).toHaveLength(1)
})

test('[LOGIN.6] detects a copied refresh token even after a thief renews 40 times', async () => {
  const system = new FakeSystem()
  const accounts = await startAccounts({ system })
  await accounts.user('ann')
  const ann = await accounts.login('ann')
  const thief = copyOf(ann, accounts.url)
  for (let times = 0; times < 40; times++) {
    system.advance(3_000)
    expect((await thief.send('POST', '/auth/refresh', '', { origin: accounts.url })).status).toBe(200)
  }
  system.advance(16 * 60_000)
  expect((await ann.get('/account')).path).toMatch(/^\/login/)
  expect((await thief.get('/account')).path).toMatch(/^\/login/)
  expect(accounts.recorded.named('refresh_token_reused')).toHaveLength(1)
})

test('[LOGIN.6] refuses a forged or changed refresh token, and ends no session for it', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann')
  const ann = await accounts.login('ann')
  const token = ann.cookies.get('refreshToken') ?? ''
  const [sessionId = '', , mac = ''] = token.split('.')
  for (const forged of [`${sessionId}.2.${mac}`, `${sessionId}.1.${'A'.repeat(43)}`, 'x', '', `${token}A`]) {
    const surfer = new Surfer(accounts.url)
    surfer.cookies.set('refreshToken', forged)
    const answer = await surfer.send('POST', '/auth/refresh', '', { origin: accounts.url })
    expect([forged, answer.status]).toEqual([forged, 401])
  }
  expect((await ann.send('POST', '/auth/refresh', '', { origin: accounts.url })).status).toBe(200)
})

test('[LOGIN.9] ends the user’s idlest login on the 65th, and no other', async () => {
  const accounts = await startAccounts()
  const { userId } = await accounts.user('ann')
  const bob = await accounts.user('bob')
  const nowMs = Date.now()
  for (let index = 1; index <= 64; index++)
    await accounts.stores.sessions.add(browserSession(userId, index, nowMs))
  await accounts.stores.sessions.add(browserSession(bob.userId, 100, nowMs))
  const ann = await accounts.login('ann')
  const open = await accounts.stores.sessions.ofUser(userId)
  expect(open).toHaveLength(64)
  expect(open.some(({ sessionId }) => sessionId === 'browser64')).toBe(false)
  expect((await ann.get('/account')).path).toBe('/account')
  expect(await accounts.stores.sessions.ofUser(bob.userId)).toHaveLength(1)
  expect(accounts.recorded.named('session_ended')).toMatchObject([{ userId, reason: 'displaced' }])
  expect(accounts.revoked).toContainEqual({ kind: 'session', id: 'browser64' })
})

test('[LIMIT.5] allows one user 100 logins in 15 minutes from one address, and as many from another', () => {
  const system = new FakeSystem()
  const { securityLog, ...recorded } = limitsLog()
  const door = { enter: () => allow(ADDRESS), beginCheck: async () => allow(() => {}), failed: () => {} }
  const limits = new LoginLimits(door, securityLog, system)
  for (let times = 0; times < 100; times++)
    expect(limits.login('user_ann', ADDRESS)).toMatchObject({ allowed: true })
  expect(limits.login('user_ann', ADDRESS)).toMatchObject({ code: 'login_limited', retryAfterSeconds: 900 })
  expect(limits.login('user_bob', ADDRESS)).toMatchObject({ allowed: true })
  expect(limits.login('user_ann', { ...ADDRESS, key: '198.51.100.1' })).toMatchObject({ allowed: true })
  expect(recorded.limited()).toMatchObject([{ userId: 'user_ann', limit: 'login' }])
  system.advance(900_000)
  expect(limits.login('user_ann', ADDRESS)).toMatchObject({ allowed: true })
})

test('[LIMIT.5] refuses a correct password and code over that limit', async () => {
  const system = new FakeSystem()
  const accounts = await startAccounts({ system })
  const { userId } = await accounts.user('ann')
  const secret = new Secret({ size: 20 })
  const surfer = new Surfer(accounts.url)
  const page = await surfer.get('/login')
  const logIn = () =>
    surfer.post('/login', {
      ...hiddenFields(page.text, '/login'),
      email: 'ann@example.com',
      password: PASSWORD,
    })
  for (let times = 0; times < 100; times++) expect((await logIn()).status).toBe(303)
  expect((await logIn()).status).toBe(429)
  await accounts.stores.credentials.setTotp(
    userId,
    seal(PAGE_KEY, `second factor of ${userId}`, secret.base32, system),
  )
  const code = TOTP.generate({ secret, timestamp: system.nowMs() })
  const seen = await surfer.submit(await logIn(), '/login/code', { code })
  expect([seen.status, textOf(seen.text).includes('Too many logins')]).toEqual([429, true])
}, 120_000)

test('[LIMIT.6] allows 100 new users per hour from one address, and does not count a proxy', () => {
  const system = new FakeSystem()
  const door = { enter: () => allow(ADDRESS), beginCheck: async () => allow(() => {}), failed: () => {} }
  const limits = new LoginLimits(door, limitsLog().securityLog, system)
  for (let times = 0; times < 100; times++) expect(limits.newUser(ADDRESS)).toMatchObject({ allowed: true })
  expect(limits.newUser(ADDRESS)).toMatchObject({ code: 'login_limited', retryAfterSeconds: 3_600 })
  expect(limits.newUser({ ...ADDRESS, isProxy: true })).toMatchObject({ allowed: true })
  expect(limits.newUser({ ...ADDRESS, key: '198.51.100.1' })).toMatchObject({ allowed: true })
})

test('[PASSKEY.3] allows a user at most 32 passkeys', async () => {
  const accounts = await startAccounts()
  const { userId } = await accounts.user('ann')
  const ann = await accounts.login('ann')
  const passkey = { userId, name: 'x', publicKey: 'AAAA', counter: 0, transports: [], createdAtMs: 0 }
  const begin = async () => {
    const { formToken = '' } = hiddenFields((await ann.get('/account')).text, '/logout')
    const body = JSON.stringify({ currentPassword: PASSWORD })
    const headers = { 'content-type': 'application/json', origin: accounts.url, 'x-form-token': formToken }
    return ann.send('POST', '/account/passkeys/begin', body, headers)
  }
  for (let index = 0; index < 31; index++)
    await accounts.stores.credentials.addPasskey({ ...passkey, credentialId: `c${index}` })
  expect((await begin()).status).toBe(200)
  await accounts.stores.credentials.addPasskey({ ...passkey, credentialId: 'c31' })
  const denied = await begin()
  expect([denied.status, JSON.parse(denied.text).error]).toMatchObject([
    403,
    { code: 'passkey_refused', message: expect.stringContaining('A user may have 32.') },
  ])
})

function limitsLog() {
  const recorded = new Recorded()
  return { securityLog: recorded.securityLog, limited: () => recorded.named('login_limited') }
}
