import type { Device } from '@bridgekeeper/bridge'
import type { LoginSession } from '@bridgekeeper/bridge/testing'
import { AGENT_CLIENT_ID } from '@bridgekeeper/protocol'
import { TOTP } from 'otpauth'
import { expect, test } from 'vitest'
import { PASSWORD, startAccounts, type TestAccounts } from '../support/accounts.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { hiddenFields, Surfer, textOf } from '../support/surfer.ts'

const KEY_ID = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'

function sessionOf(
  userId: string,
  kind: LoginSession['kind'],
  more: Partial<LoginSession> = {},
): LoginSession {
  const nowMs = Date.now()
  return {
    sessionId: `session_${userId}_${kind}`,
    userId,
    kind,
    label: kind,
    createdAtMs: nowMs,
    seenAtMs: nowMs,
    expiresAtMs: nowMs + 86_400_000,
    ...more,
  }
}

function checkedBoxes(text: string): string[] {
  const boxes = text.matchAll(/<input type="checkbox" name="([^"]*)" value="yes" checked>/g)
  return [...boxes].map(([, name = '']) => name)
}

async function addDevice({ stores }: TestAccounts, userId: string, name: string): Promise<Device> {
  const session = sessionOf(userId, 'device', { deviceId: `device_${userId}` })
  await stores.sessions.add(session)
  const device: Device = {
    deviceId: `device_${userId}`,
    userId,
    sessionId: session.sessionId,
    name,
    keys: [{ keyId: KEY_ID, algorithm: 'Ed25519', generation: 1, jwk: '{}' }],
    createdAtMs: Date.now(),
    usedAtMs: Date.now(),
  }
  await stores.devices.add(device)
  return device
}

test('[ACCT.6] shows machines with the words of their key, apps and logins, with a button that ends each', async () => {
  const accounts = await startAccounts()
  const { userId } = await accounts.user('ann')
  const { deviceId, sessionId } = await addDevice(accounts, userId, "Ann's laptop")
  await accounts.stores.sessions.add(sessionOf(userId, 'client', { label: 'Some app', clientId: 'app' }))
  await accounts.login('ann')
  const ann = await accounts.login('ann')
  const page = await ann.get('/account')
  for (const shown of [
    "Ann's laptop",
    'calamari-eats-lemon-daringly-womankind-tradition-agreement-shifty',
    'Some app',
    'Firefox on Linux',
    'this browser',
  ])
    expect(textOf(page.text)).toContain(shown)

  const fields = { ...hiddenFields(page.text, '/account/devices/end'), deviceId }
  await ann.submit(page, '/account/devices/end', fields)
  expect(await accounts.stores.devices.find(deviceId)).toBeUndefined()
  expect(await accounts.stores.sessions.find(sessionId)).toBeUndefined()
  expect(accounts.recorded.named('device_revoked')).toMatchObject([{ userId, deviceId }])
  expect(accounts.revoked).toContainEqual({ kind: 'device', id: deviceId })

  await ann.submit(page, '/account/sessions/end', { sessionId: `session_${userId}_client` })
  await ann.submit(page, '/account/sessions/end-others')
  const left = await accounts.stores.sessions.ofUser(userId)
  expect(left.map(({ kind }) => kind)).toEqual(['browser'])
  expect((await ann.get('/account')).status).toBe(200)
})

test('[ACCT.6] shows and ends nothing of other users', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann')
  const bob = await accounts.user('bob')
  const device = await addDevice(accounts, bob.userId, "Bob's machine")
  await accounts.login('bob')
  const [bobs] = (await accounts.stores.sessions.ofUser(bob.userId)).filter(({ kind }) => kind === 'browser')
  const ann = await accounts.login('ann')
  await accounts.login('ann')
  const page = await ann.get('/account')
  expect(textOf(page.text)).not.toContain('Bob')
  const token = hiddenFields(page.text, '/account/sessions/end-others')
  for (const [path, fields] of [
    ['/account/sessions/end', { sessionId: bobs?.sessionId ?? '' }],
    ['/account/devices/end', { deviceId: device.deviceId }],
  ] as const)
    expect((await ann.post(path, { ...token, ...fields })).status).toBe(404)
  expect(await accounts.stores.devices.find(device.deviceId)).toBeDefined()
  expect(await accounts.stores.sessions.find(bobs?.sessionId ?? '')).toBeDefined()
})

test('[ACCT.5] requires the password for every action that a stolen login must not do', async () => {
  const accounts = await startAccounts()
  const { userId } = await accounts.user('ann')
  const ann = await accounts.login('ann')
  const before = await accounts.stores.credentials.find(userId)
  for (const [from, path, fields] of [
    ['/account/password', '/account/password', { newPassword: 'the thief’s own password' }],
    ['/account/codes', '/account/codes/on', { code: '000000' }],
    ['/account/codes', '/account/codes/off', {}],
    ['/account/delete', '/account/delete', { email: 'ann@example.com' }],
  ] as const) {
    const token = Object.values(hiddenFields((await ann.get(from)).text, '/logout'))[0] ?? ''
    for (const currentPassword of ['', 'not the password']) {
      const seen = await ann.post(path, { formToken: token, ...fields, currentPassword })
      expect([path, seen.status === 403 || seen.status === 429]).toEqual([path, true])
    }
  }
  expect(await accounts.stores.credentials.find(userId)).toEqual(before)
  expect(await accounts.stores.users.findById(userId)).toBeDefined()
})

test('[LOGIN.7] a new password ends the apps and machines on its page, except unticked ones', async () => {
  for (const [unticked, left] of [
    [[], ['browser']],
    [['endMachines'], ['browser', 'client', 'device']],
    [['endApps'], ['browser', 'client']],
    [['endOthers'], ['browser', 'browser']],
  ] as const) {
    const accounts = await startAccounts()
    const { userId } = await accounts.user('ann')
    const { deviceId } = await addDevice(accounts, userId, "Ann's laptop")
    const app = { label: 'Some app', clientId: 'app' }
    const enrolling = { label: 'Enrolment of a box', clientId: AGENT_CLIENT_ID, sessionId: 'enrolling' }
    await accounts.stores.sessions.add(sessionOf(userId, 'client', app))
    await accounts.stores.sessions.add(sessionOf(userId, 'client', enrolling))
    await accounts.login('ann')
    const ann = await accounts.login('ann')
    const page = await ann.get('/account/password')
    for (const shown of [
      "Ann's laptop (calamari-eats-lemon-daringly-womankind-tradition-agreement-shifty)",
      'Some app',
      'Enrolment of a box',
    ])
      expect(textOf(page.text)).toContain(shown)
    const ticked = checkedBoxes(page.text).filter((name) => !unticked.some((other) => other === name))
    await ann.submit(page, '/account/password', {
      currentPassword: PASSWORD,
      newPassword: 'another good password',
      ...Object.fromEntries(ticked.map((name) => [name, 'yes'])),
    })
    const open = await accounts.stores.sessions.ofUser(userId)
    expect(open.map(({ kind }) => kind).sort(), String(unticked)).toEqual(left)
    const isKept = unticked.some((name) => name === 'endMachines')
    expect((await accounts.stores.devices.find(deviceId)) !== undefined).toBe(isKept)
    expect(accounts.revoked.some(({ kind }) => kind === 'device')).toBe(!isKept)
  }
}, 60_000)

test('[LOGIN.7] a new password also ends an app that was allowed while the page was open', async () => {
  const accounts = await startAccounts()
  const { userId } = await accounts.user('ann')
  const ann = await accounts.login('ann')
  const page = await ann.get('/account/password')
  await accounts.stores.sessions.add(sessionOf(userId, 'client', { clientId: 'thief' }))
  const fields = { currentPassword: PASSWORD, newPassword: 'another good password', endOthers: 'yes' }
  await ann.submit(page, '/account/password', fields)
  expect((await accounts.stores.sessions.ofUser(userId)).map(({ kind }) => kind)).toEqual(['browser'])
})

test('[LOGIN.7] switching codes on or off ends the same as a new password', async () => {
  const accounts = await startAccounts()
  const { userId } = await accounts.user('ann')
  const ann = await accounts.login('ann')
  for (const action of ['on', 'off'] as const) {
    await accounts.stores.sessions.add(
      sessionOf(userId, 'client', { label: 'Some app', clientId: 'app', sessionId: `app ${action}` }),
    )
    const page = await ann.get('/account/codes')
    expect(checkedBoxes(page.text)).toEqual(['endOthers', 'endApps'])
    const secret = /class="big">([A-Z2-7 ]+)</.exec(page.text)?.[1]?.replaceAll(' ', '')
    const code = secret === undefined ? {} : { code: new TOTP({ secret }).generate() }
    const fields = { currentPassword: PASSWORD, endOthers: 'yes', endApps: 'yes', ...code }
    const seen = await ann.submit(page, `/account/codes/${action}`, fields)
    expect(seen.path).toBe(`/account?done=codes-${action}`)
    expect((await accounts.stores.sessions.ofUser(userId)).map(({ kind }) => kind)).toEqual(['browser'])
  }
})

test('[ACCT.8] deletes an account with everything of its user, and closes what it has open', async () => {
  const accounts = await startAccounts()
  const { userId } = await accounts.user('ann')
  await addDevice(accounts, userId, 'laptop')
  const elsewhere = await accounts.login('ann')
  const ann = await accounts.login('ann')
  const page = await ann.get('/account/delete')
  const kept = await ann.submit(page, '/account/delete', {
    currentPassword: PASSWORD,
    email: 'bob@example.com',
  })
  expect(kept.status).toBe(403)
  const seen = await ann.submit(page, '/account/delete', {
    currentPassword: PASSWORD,
    email: 'Ann@example.com',
  })
  expect(textOf(seen.text)).toContain('Your account is deleted.')
  expect(await accounts.stores.users.findById(userId)).toBeUndefined()
  expect(await accounts.stores.sessions.ofUser(userId)).toEqual([])
  expect(await accounts.stores.devices.ofUser(userId)).toEqual([])
  expect(await accounts.stores.credentials.find(userId)).toBeUndefined()
  expect(accounts.revoked).toContainEqual({ kind: 'user', id: userId })
  expect(accounts.recorded.named('user_deleted')).toMatchObject([{ userId }])
  expect((await elsewhere.get('/account')).path).toMatch(/^\/login/)
})

test('[ACCT.7] [OPS.1] lets an admin list, suspend, resume and log out users, and hides the page from others', async () => {
  const accounts = await startAccounts()
  await accounts.user('root', { role: 'admin' })
  const { userId } = await accounts.user('ann')
  const ann = await accounts.login('ann')
  const root = await accounts.login('root')
  expect((await ann.get('/account/users')).status).toBe(404)
  const token = Object.values(hiddenFields((await ann.get('/account')).text, '/logout'))[0] ?? ''
  for (const act of ['suspend', 'resume', 'logout'])
    expect((await ann.post(`/account/users/${act}`, { formToken: token, userId: 'user_root' })).status).toBe(
      404,
    )

  const page = await root.get('/account/users')
  expect(textOf(page.text)).toContain('ann@example.com')
  await root.submit(page, '/account/users/suspend')
  expect(await accounts.stores.users.findById(userId)).toMatchObject({ state: 'suspended' })
  expect((await ann.get('/account')).path).toMatch(/^\/login/)
  const login = await new Surfer(accounts.url).get('/login')
  expect(login.status).toBe(200)
  await root.submit(await root.get('/account/users'), '/account/users/resume')
  const again = await accounts.login('ann')
  await root.submit(await root.get('/account/users'), '/account/users/logout')
  expect((await again.get('/account')).path).toMatch(/^\/login/)
  expect(accounts.recorded.names).toEqual(
    expect.arrayContaining(['user_suspended', 'user_resumed', 'user_logged_out']),
  )
  for (const name of ['user_suspended', 'user_resumed', 'user_logged_out'] as const)
    expect(accounts.recorded.named(name)).toMatchObject([{ userId, by: 'user_root', ip: '127.0.0.1' }])
  // Users cannot lock themselves out.
  const own = Object.values(hiddenFields((await root.get('/account')).text, '/logout'))[0] ?? ''
  expect((await root.post('/account/users/suspend', { formToken: own, userId: 'user_root' })).status).toBe(
    404,
  )
})

test('[ACCT.9] asks an admin whose login is older than five minutes to log in again before acting on others', async () => {
  const system = new FakeSystem()
  const accounts = await startAccounts({ system })
  await accounts.user('root', { role: 'admin' })
  const { userId } = await accounts.user('ann')
  const root = await accounts.login('root')
  system.advance(300_001)
  const page = await root.get('/account/users')
  const login = await root.submit(page, '/account/users/suspend')
  expect(login.path).toBe('/login?again=1&returnTo=%2Faccount%2Fusers')
  expect(await accounts.stores.users.findById(userId)).toMatchObject({ state: 'active' })
  const again = await root.submit(login, '/login', { email: 'root@example.com', password: PASSWORD })
  await root.submit(again, '/account/users/suspend')
  expect(await accounts.stores.users.findById(userId)).toMatchObject({ state: 'suspended' })
})

test('[ACCT.7] splits long lists into pages', async () => {
  const accounts = await startAccounts()
  await accounts.user('root', { role: 'admin' })
  for (let i = 0; i < 60; i++) await accounts.user(`user${100 + i}`, { password: '' })
  const root = await accounts.login('root')
  const first = await root.get('/account/users')
  const next = /href="([^"]*users\?after=[^"]*)"/.exec(first.text)?.[1] ?? ''
  const second = await root.get(next)
  const shown = [first, second].flatMap(({ text }) => textOf(text).match(/user1\d\d@/g) ?? [])
  expect(new Set(shown).size).toBe(60)
})
