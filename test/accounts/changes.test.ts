import { Secret, TOTP } from 'otpauth'
import { expect, test } from 'vitest'
import { PASSWORD, startAccounts, type TestAccounts } from '../support/accounts.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { hiddenFields, type Seen, Surfer, textOf } from '../support/surfer.ts'

interface World {
  readonly system: FakeSystem
  readonly accounts: TestAccounts
  readonly ann: Surfer
}

async function world(): Promise<World> {
  const system = new FakeSystem()
  const accounts = await startAccounts({ system })
  await accounts.user('ann')
  return { system, accounts, ann: await accounts.login('ann') }
}

/** The pages that need the password, and the form of each. */
const CHANGES = [
  ['/account/password', '/account/password', 'Change your password'],
  ['/account/codes', '/account/codes/on', 'Codes from an app'],
  ['/account/delete', '/account/delete', 'Delete your account'],
] as const

const KEY_ID = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'
const PASSKEY = {
  credentialId: 'p',
  userId: 'user_ann',
  name: 'p',
  publicKey: '',
  counter: 0,
  transports: [],
}

test.each(CHANGES)(
  '[ACCT.5] shows %s again after a wrong password, and after too many',
  async (path, action, title) => {
    const { ann } = await world()
    const page = await ann.get(path)
    expect(page.text).toContain(`<h1>${title}</h1>`)
    expect(page.text).toContain(
      '<label for="currentPassword">Your password now</label>\n<input id="currentPassword" name="currentPassword" type="password" autocomplete="current-password" maxlength="1024" required>',
    )
    expect(page.text).not.toContain('log in with a passkey')
    const attempt = (currentPassword: string) => ann.submit(page, action, { currentPassword })
    for (let count = 0; count < 5; count++) {
      const wrong = await attempt(count === 0 ? '' : 'wrong')
      expect([wrong.status, wrong.text.includes(`<h1>${title}</h1>`)]).toEqual([403, true])
      expect(textOf(wrong.text)).toContain('The password is wrong.')
      expect(wrong.headers.has('retry-after')).toBe(false)
    }
    const limited = await attempt(PASSWORD)
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, ['900']])
    expect(textOf(limited.text)).toContain('Too many tries. Wait a while, then try again.')
  },
)

test('[ACCT.5] asks for a login by passkey where there is no password or also a passkey', async () => {
  const { accounts, ann } = await world()
  const { credentials } = accounts.stores
  await credentials.addPasskey({ ...PASSKEY, createdAtMs: 0 })
  const linkOf = (path: string) => `href="/login?again=1&amp;returnTo=${encodeURIComponent(path)}"`
  for (const [path] of CHANGES) {
    const { text } = await ann.get(path)
    expect(text).toContain(`<span class="hint">Or <a ${linkOf(path)}>log in with a passkey</a> first.</span>`)
    expect(text).toContain('name="currentPassword"')
  }
  await credentials.setPassword('user_ann', undefined)
  for (const [path] of CHANGES) {
    const { text } = await ann.get(path)
    expect(text).toContain(
      `<p>Confirm that it is you: <a ${linkOf(path)}>log in once more</a>, then come back here.</p>`,
    )
    expect(text).not.toContain('name="currentPassword"')
  }
})

test('[LOGIN.8] sends a browser without a login to the login page, and then back', async () => {
  const { url } = await startAccounts()
  const stranger = new Surfer(url)
  const paths = ['', '/password', '/codes', '/delete', '/users', '/passkeys'].map((path) => `/account${path}`)
  for (const path of paths)
    expect((await stranger.send('GET', path)).headers.get('location')).toEqual([
      `/login?returnTo=${encodeURIComponent(path)}`,
    ])
  for (const [action, returnTo] of [
    ['/logout', '/logout'],
    ['/account/password', '/account/password'],
    ['/account/codes/on', '/account/codes'],
    ['/account/codes/off', '/account/codes'],
    ['/account/delete', '/account/delete'],
    ['/account/passkeys/remove', '/account/passkeys'],
    ['/account/users/suspend', '/account/users'],
    ['/account/sessions/end', '/account'],
    ['/account/sessions/end-others', '/account'],
    ['/account/devices/end', '/account'],
  ] as const)
    expect((await stranger.post(action, {})).headers.get('location'), action).toEqual([
      `/login?returnTo=${encodeURIComponent(returnTo)}`,
    ])
})

test('[ACCT.1] changes the password, says so and records it', async () => {
  const { accounts, ann } = await world()
  const page = await ann.get('/account/password')
  for (const [newPassword, problem] of [
    ['short', 'Use at least 12 characters'],
    ['', 'Use at least 12 characters'],
    ['ann@example.com', 'This password is too common.'],
  ] as const) {
    const seen = await ann.submit(page, '/account/password', { currentPassword: PASSWORD, newPassword })
    expect([seen.status, textOf(seen.text).includes(problem)]).toEqual([403, true])
    expect(seen.text).toContain('<h1>Change your password</h1>')
  }
  const fields = { currentPassword: PASSWORD, newPassword: 'four new words here' }
  const seen = await ann.submit(page, '/account/password', fields)
  expect([seen.path, textOf(seen.text).includes('Your password was changed.')]).toEqual([
    '/account?done=password',
    true,
  ])
  expect(accounts.recorded.named('password_changed')).toMatchObject([{ userId: 'user_ann', ip: '127.0.0.1' }])
  await accounts.login('ann', 'four new words here')
})

test('[TOTP.1] asks for another code after a wrong one, shows the same secret, and records each change', async () => {
  const { accounts, system, ann } = await world()
  const secretOf = ({ text }: Seen) => /<code class="big">([^<]*)</.exec(text)?.[1] ?? ''
  const page = await ann.get('/account/codes')
  expect(secretOf(await ann.get('/account/codes'))).not.toBe(secretOf(page))
  for (const code of ['000000', '']) {
    const wrong = await ann.submit(page, '/account/codes/on', { currentPassword: PASSWORD, code })
    expect([wrong.status, secretOf(wrong)]).toEqual([403, secretOf(page)])
    expect(textOf(wrong.text)).toContain(
      'The code is wrong. Check the app again: the code changes every 30 seconds.',
    )
  }
  expect(secretOf(await ann.submit(page, '/account/codes/on', { currentPassword: 'wrong' }))).toBe(
    secretOf(page),
  )
  // A secret that the bridge did not show is not switched on; the page shows a new one.
  const secret = secretOf(page).replaceAll(' ', '')
  const code = TOTP.generate({ secret: Secret.fromBase32(secret), timestamp: system.nowMs() })
  const forged = await ann.submit(page, '/account/codes/on', { currentPassword: PASSWORD, code, begun: 'x' })
  expect([forged.status, secretOf(forged) === secretOf(page)]).toEqual([403, false])
  const on = await ann.submit(page, '/account/codes/on', { currentPassword: PASSWORD, code })
  expect([on.path, textOf(on.text).includes('a code is asked for after your password')]).toEqual([
    '/account?done=codes-on',
    true,
  ])
  expect(textOf(on.text)).toContain('Asked for after the password')
  const off = await ann.get('/account/codes')
  expect(off.text).toContain('<h1>Switch codes off</h1>')
  const wrong = await ann.submit(off, '/account/codes/off', { currentPassword: 'wrong' })
  expect([wrong.status, wrong.text.includes('<h1>Switch codes off</h1>')]).toEqual([403, true])
  const done = await ann.submit(off, '/account/codes/off', { currentPassword: PASSWORD })
  expect(textOf(done.text)).toContain('Codes are switched off.')
  for (const event of ['second_factor_added', 'second_factor_removed'] as const)
    expect(accounts.recorded.named(event)).toMatchObject([{ userId: 'user_ann', ip: '127.0.0.1' }])
})

test('[ACCT.8] deletes the account for its email only, in any case and with spaces around it', async () => {
  const { accounts, ann } = await world()
  const page = await ann.get('/account/delete')
  for (const email of ['bob@example.com', '', 'ann@example.co']) {
    const wrong = await ann.submit(page, '/account/delete', { currentPassword: PASSWORD, email })
    expect([wrong.status, textOf(wrong.text).includes('The email is wrong.')]).toEqual([403, true])
    expect(wrong.text).toContain('<h1>Delete your account</h1>')
  }
  const fields = { ...hiddenFields(page.text, '/account/delete'), currentPassword: PASSWORD }
  expect((await ann.post('/account/delete', fields)).status).toBe(403)
  expect(await accounts.stores.users.findById('user_ann')).toBeDefined()
  const seen = await ann.post('/account/delete', { ...fields, email: ' ANN@Example.com ' })
  expect([seen.status, textOf(seen.text).includes('Your account is deleted.')]).toEqual([200, true])
  expect(seen.text).toContain('role="status"')
  expect([...ann.cookies.keys()].filter((name) => /Token$/.test(name))).toEqual([])
  expect(accounts.recorded.named('user_deleted')).toMatchObject([{ userId: 'user_ann', ip: '127.0.0.1' }])
})

test('[LOGIN.7] lists what a change ends, each with a ticked box, and hides empty lists', async () => {
  const { accounts, ann } = await world()
  const { sessions, devices } = accounts.stores
  const nowMs = accounts.system.nowMs()
  const common = { userId: 'user_ann', createdAtMs: nowMs, seenAtMs: nowMs, expiresAtMs: nowMs + 60_000 }
  const box = (name: string, text: string) =>
    `<label class="check"><input type="checkbox" name="${name}" value="yes" checked><span>${text}`
  const empty = await ann.get('/account/password')
  expect(empty.text).toContain(`${box('endOthers', 'Also log out everywhere else.')}</span></label>`)
  for (const name of ['endApps', 'endMachines'])
    expect(empty.text).toContain(`<input type="hidden" name="${name}" value="yes">`)
  await sessions.add({ ...common, sessionId: 'a', kind: 'client', label: 'App \u202eone' })
  await sessions.add({ ...common, sessionId: 'd', kind: 'device', label: 'x', deviceId: 'd' })
  await devices.add({
    deviceId: 'd',
    userId: 'user_ann',
    sessionId: 'd',
    name: 'Lap\u202etop',
    keys: [{ keyId: KEY_ID, algorithm: 'Ed25519', generation: 1, jwk: '{}' }],
    createdAtMs: nowMs,
    usedAtMs: nowMs,
  })
  const { text } = await ann.get('/account/password')
  const names = (shown: string) => `<br><span class="small">${shown}</span><br></span></label>`
  expect(text).toContain(`${box('endApps', 'Also disconnect these apps:')}${names('App  one')}`)
  expect(text).toContain(
    `${box('endMachines', 'Also revoke these machines, which then have to be enrolled again:')}${names('Lap top (calamari-eats-lemon-daringly-womankind-tradition-agreement-shifty)')}`,
  )
})

test('[ACCT.6] ends a session and a machine once, and says so for one that is gone too', async () => {
  const { accounts, ann } = await world()
  const token = hiddenFields((await ann.get('/account')).text, '/logout')
  for (const path of ['/account/sessions/end', '/account/devices/end'])
    for (const fields of [{}, { sessionId: 'none', deviceId: 'none' }])
      expect((await ann.post(path, { ...token, ...fields })).headers.get('location')).toEqual([
        '/account?done=ended',
      ])
  expect(accounts.recorded.named('session_ended')).toEqual([])
  await accounts.login('ann')
  const others = await ann.post('/account/sessions/end-others', token)
  expect(others.headers.get('location')).toEqual(['/account?done=others-ended'])
  expect(accounts.recorded.named('session_ended')).toMatchObject([{ userId: 'user_ann', ip: '127.0.0.1' }])
  expect(await accounts.stores.sessions.ofUser('user_ann')).toHaveLength(1)
  expect((await ann.send('GET', '/')).headers.get('location')).toEqual(['/account'])
})

test('[ACCT.6] keeps the apps when all other logins end, and shows the session that was used last first', async () => {
  const { accounts, system, ann } = await world()
  const nowMs = system.nowMs()
  const common = { userId: 'user_ann', createdAtMs: nowMs, expiresAtMs: nowMs + 60_000_000 }
  for (const [label, seenAtMs] of [
    ['Second', nowMs - 2_000],
    ['First', nowMs - 1_000],
    ['Third', nowMs - 3_000],
  ] as const)
    await accounts.stores.sessions.add({ ...common, sessionId: label, kind: 'client', label, seenAtMs })
  const shown = textOf((await ann.get('/account')).text)
  expect(shown.match(/First|Second|Third/g)?.slice(0, 3)).toEqual(['First', 'Second', 'Third'])
  await ann.post('/account/sessions/end-others', hiddenFields((await ann.get('/account')).text, '/logout'))
  expect(await accounts.stores.sessions.ofUser('user_ann')).toHaveLength(4)
})

test('[LOGIN.4] asks before it logs out, ends the login, and says so to a browser without one', async () => {
  const { accounts, ann } = await world()
  const page = await ann.get('/logout')
  expect(page.text).toContain('<h1>Log out</h1>')
  const seen = await ann.submit(page, '/logout')
  expect([seen.status, seen.text.includes('<h1>Goodbye</h1>')]).toEqual([200, true])
  expect([...ann.cookies.keys()].filter((name) => /Token$/.test(name))).toEqual([])
  expect(await accounts.stores.sessions.ofUser('user_ann')).toEqual([])
  expect(accounts.recorded.named('session_ended')).toMatchObject([{ ip: '127.0.0.1' }])
  expect((await ann.get('/logout')).text).toContain('<h1>Goodbye</h1>')
})
