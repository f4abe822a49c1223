import { seal } from '@bridgekeeper/bridge/testing'
import { codes } from '@bridgekeeper/protocol'
import { Secret, TOTP } from 'otpauth'
import { expect, test } from 'vitest'
import { PAGE_KEY, PASSWORD, startAccounts, type TestAccounts } from '../support/accounts.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { type Asked, SoftAuthenticator, type Tampering } from '../support/soft-authenticator.ts'
import { hiddenFields, type Seen, Surfer } from '../support/surfer.ts'

interface Begun {
  readonly options: Asked & Readonly<Record<string, unknown>>
  readonly begun: string
}

interface World {
  readonly accounts: TestAccounts
  readonly system: FakeSystem
  readonly authenticator: SoftAuthenticator
  readonly ann: Surfer
}

/** Ann is logged in at a bridge that has a name. */
async function world(): Promise<World> {
  const system = new FakeSystem()
  const accounts = await startAccounts({ host: 'localhost', system })
  await accounts.user('ann')
  const ann = await accounts.login('ann')
  return { accounts, system, ann, authenticator: new SoftAuthenticator(accounts.url) }
}

/** Asks as the script of the page does. */
async function ask(surfer: Surfer, accounts: TestAccounts, page: string, path: string, body: object) {
  const token = /data-token="([^"]*)"/.exec((await surfer.get(page)).text)?.[1] ?? ''
  const headers = { 'content-type': 'application/json', origin: accounts.url, 'x-form-token': token }
  return surfer.send('POST', path, JSON.stringify(body), headers)
}

async function beginAdding({ accounts, ann }: World, password = PASSWORD): Promise<Begun> {
  const body = { currentPassword: password }
  return JSON.parse((await ask(ann, accounts, '/account/passkeys', '/account/passkeys/begin', body)).text)
}

function add({ accounts, ann }: World, body: object): Promise<Seen> {
  return ask(ann, accounts, '/account/passkeys', '/account/passkeys/add', body)
}

async function addPasskey(w: World, name = 'phone'): Promise<Seen> {
  const { begun, options } = await beginAdding(w)
  return add(w, { begun, name, credential: w.authenticator.create(options) })
}

async function beginLogin({ accounts }: World, surfer: Surfer): Promise<Begun> {
  return JSON.parse((await ask(surfer, accounts, '/login', '/login/passkey/begin', {})).text)
}

function answer({ accounts }: World, surfer: Surfer, body: object): Promise<Seen> {
  return ask(surfer, accounts, '/login', '/login/passkey', body)
}

async function logIn(w: World, surfer: Surfer, tampering: Tampering = {}, returnTo = '/account') {
  const { begun, options } = await beginLogin(w, surfer)
  return answer(w, surfer, { begun, returnTo, credential: w.authenticator.get(options, tampering) })
}

/** Status and code of a refusal. */
function refusalOf({ status, text }: Seen): readonly [number, string] {
  return [status, JSON.parse(text).error.code]
}

const REFUSED = [403, 'passkey_refused']

test('[PASSKEY.1] asks for a passkey of this user at this bridge, with a verified user and without attestation', async () => {
  const w = await world()
  await addPasskey(w)
  const { options } = await beginAdding(w)
  expect(options).toMatchObject({
    rp: { name: 'Bridgekeeper', id: 'localhost' },
    user: { id: Buffer.from('user_ann').toString('base64url'), name: 'ann@example.com' },
    attestation: 'none',
    pubKeyCredParams: [{ alg: -8 }, { alg: -7 }, { alg: -257 }],
    excludeCredentials: [{ id: w.authenticator.id }],
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
  })
  expect(Buffer.from(options.challenge, 'base64url')).toHaveLength(32)
})

test('[PASSKEY.1] adds a passkey, starts a new login and records it', async () => {
  const w = await world()
  const { credentials, sessions } = w.accounts.stores
  const [before] = await sessions.ofUser('user_ann')
  const seen = await addPasskey(w, '  Ann’s phone\u0007 ')
  expect([seen.status, JSON.parse(seen.text)]).toEqual([200, { goTo: '/account?done=passkey' }])
  expect(await credentials.passkeysOf('user_ann')).toEqual([
    {
      credentialId: w.authenticator.id,
      userId: 'user_ann',
      name: 'Ann’s phone',
      publicKey: expect.stringMatching(/^[\w-]{60,}$/),
      counter: 0,
      transports: ['internal'],
      createdAtMs: w.system.nowMs(),
    },
  ])
  const [after, ...others] = await sessions.ofUser('user_ann')
  expect(others).toEqual([])
  expect(after?.sessionId).not.toBe(before?.sessionId)
  expect((await w.ann.get('/account')).path).toBe('/account')
  expect(w.accounts.recorded.named('passkey_added')).toMatchObject([
    { userId: 'user_ann', ip: '127.0.0.1', name: 'Ann’s phone' },
  ])
})

test.each([
  ['', 'Passkey'],
  [' \n ', 'Passkey'],
  ['x'.repeat(61), 'x'.repeat(60)],
  [7, 'Passkey'],
])('[PASSKEY.1] keeps the name %j as %s', async (name, kept) => {
  const w = await world()
  const { begun, options } = await beginAdding(w)
  await add(w, { begun, name, credential: w.authenticator.create(options) })
  expect(await w.accounts.stores.credentials.passkeysOf('user_ann')).toMatchObject([{ name: kept }])
})

test('[PASSKEY.1] keeps a passkey without transports, and refuses the same passkey again', async () => {
  const w = await world()
  const { begun, options } = await beginAdding(w)
  const { response, ...rest } = w.authenticator.create(options)
  const { transports: _, ...others } = response
  expect((await add(w, { begun, credential: { ...rest, response: others } })).status).toBe(200)
  expect(await w.accounts.stores.credentials.passkeysOf('user_ann')).toMatchObject([{ transports: [] }])
  expect(refusalOf(await addPasskey(w))).toEqual(REFUSED)
  expect(w.accounts.recorded.named('passkey_added')).toHaveLength(1)
})

test.each<[string, Tampering]>([
  ['another site', { origin: 'http://localhost' }],
  ['another name', { rpId: 'example.com' }],
  ['another challenge', { challenge: 'AAAA' }],
  ['a login', { type: 'webauthn.get' }],
  ['a user who is not verified', { isUnverified: true }],
])('[PASSKEY.1] [PASSKEY.2] refuses an answer for %s', async (_what, tampering) => {
  const w = await world()
  const { begun, options } = await beginAdding(w)
  expect(refusalOf(await add(w, { begun, credential: w.authenticator.create(options, tampering) }))).toEqual(
    REFUSED,
  )
  expect(await w.accounts.stores.credentials.passkeysOf('user_ann')).toEqual([])
  expect(w.accounts.recorded.named('passkey_added')).toEqual([])

  await addPasskey(w)
  const surfer = new Surfer(w.accounts.url)
  const wrong = tampering.type === undefined ? tampering : { type: 'webauthn.create' }
  expect(refusalOf(await logIn(w, surfer, wrong))).toEqual(REFUSED)
  expect(surfer.cookies.has('accessToken')).toBe(false)
  expect(w.accounts.recorded.named('login_failed')).toMatchObject([
    { reason: 'passkey_wrong', ip: '127.0.0.1', counted: true },
  ])
})

test('[PASSKEY.1] accepts the answer to a question of the same login only, once and for five minutes', async () => {
  const w = await world()
  const first = await beginAdding(w)
  const credential = w.authenticator.create(first.options)
  w.system.advance(300_000)
  expect(refusalOf(await add(w, { begun: first.begun, credential }))).toEqual(REFUSED)

  const second = await beginAdding(w)
  const answered = w.authenticator.create(second.options)
  w.system.advance(299_999)
  expect((await add(w, { begun: second.begun, credential: answered })).status).toBe(200)
  await w.accounts.stores.credentials.removePasskey('user_ann', w.authenticator.id)
  expect(refusalOf(await add(w, { begun: second.begun, credential: answered }))).toEqual(REFUSED)

  const third = await beginAdding(w)
  const elsewhere = { ...w, ann: await w.accounts.login('ann') }
  const stolen = { begun: third.begun, credential: w.authenticator.create(third.options) }
  expect(refusalOf(await add(elsewhere, stolen))).toEqual(REFUSED)
  expect((await add(w, stolen)).status).toBe(200)
})

test('[PASSKEY.1] counts a question as answered by a wrong answer too', async () => {
  const w = await world()
  const { begun, options } = await beginAdding(w)
  const wrong = w.authenticator.create(options, { origin: 'https://evil.example' })
  expect(refusalOf(await add(w, { begun, credential: wrong }))).toEqual(REFUSED)
  expect(refusalOf(await add(w, { begun, credential: w.authenticator.create(options) }))).toEqual(REFUSED)
})

test('[PASSKEY.1] asks nothing after a wrong password, and says when to retry after too many', async () => {
  const w = await world()
  const begin = (body: object) => ask(w.ann, w.accounts, '/account/passkeys', '/account/passkeys/begin', body)
  for (const body of [{}, { currentPassword: 7 }, { currentPassword: 'wrong' }, { currentPassword: '' }]) {
    const seen = await begin(body)
    expect(refusalOf(seen)).toEqual([403, 'confirmation_failed'])
    expect(JSON.parse(seen.text)).not.toHaveProperty('options')
  }
  await begin({ currentPassword: 'wrong' })
  const limited = await begin({ currentPassword: PASSWORD })
  expect(refusalOf(limited)).toEqual([429, 'login_limited'])
  expect(limited.headers.get('retry-after')).toEqual(['900'])
})

test('[PASSKEY.1] asks a browser without a login to log in', async () => {
  const { accounts } = await world()
  const stranger = new Surfer(accounts.url)
  for (const path of ['/account/passkeys/begin', '/account/passkeys/add'])
    expect(refusalOf(await ask(stranger, accounts, '/login', path, {}))).toEqual([401, 'login_required'])
})

test('[PASSKEY.2] logs in with a passkey alone, and continues to the page that was asked for', async () => {
  const w = await world()
  await addPasskey(w)
  const surfer = new Surfer(w.accounts.url)
  const { options } = await beginLogin(w, surfer)
  expect(options).toMatchObject({ rpId: 'localhost', userVerification: 'required' })
  expect(Buffer.from(options.challenge, 'base64url')).toHaveLength(32)

  const seen = await logIn(w, surfer, {}, '/account/passkeys')
  expect([seen.status, JSON.parse(seen.text)]).toEqual([200, { goTo: '/account/passkeys' }])
  expect((await surfer.get('/account')).path).toBe('/account')
  expect(w.accounts.recorded.named('login_succeeded').at(-1)).toMatchObject({
    userId: 'user_ann',
    ip: '127.0.0.1',
    method: 'passkey',
  })
  expect(await w.accounts.stores.credentials.findPasskey(w.authenticator.id)).toMatchObject({ counter: 1 })
  const away = await logIn(w, new Surfer(w.accounts.url), {}, '//evil.example')
  expect(JSON.parse(away.text)).toEqual({ goTo: '/account' })
})

test('[PASSKEY.2] accepts the user handle of the owner only', async () => {
  const w = await world()
  await addPasskey(w)
  const handle = (userId: string) => ({ userHandle: Buffer.from(userId).toString('base64url') })
  expect((await logIn(w, new Surfer(w.accounts.url), handle('user_ann'))).status).toBe(200)
  for (const userId of ['user_bob', ''])
    expect(refusalOf(await logIn(w, new Surfer(w.accounts.url), handle(userId)))).toEqual(REFUSED)
})

test('[PASSKEY.2] accepts an answer in the browser that asked only, once and for five minutes', async () => {
  const w = await world()
  await addPasskey(w)
  const [asker, other] = [new Surfer(w.accounts.url), new Surfer(w.accounts.url)]
  const begun = await beginLogin(w, asker)
  const body = { begun: begun.begun, credential: w.authenticator.get(begun.options) }
  expect(refusalOf(await answer(w, other, body))).toEqual(REFUSED)
  expect((await answer(w, asker, body)).status).toBe(200)
  await asker.get('/logout')
  asker.cookies.delete('accessToken')
  asker.cookies.delete('refreshToken')
  expect(refusalOf(await answer(w, asker, body))).toEqual(REFUSED)

  for (const [afterMs, status] of [
    [299_999, 200],
    [300_000, 403],
  ] as const) {
    const late = new Surfer(w.accounts.url)
    const { options, begun: sealed } = await beginLogin(w, late)
    w.system.advance(afterMs)
    const credential = w.authenticator.get(options)
    expect((await answer(w, late, { begun: sealed, credential })).status).toBe(status)
  }
})

test('[PASSKEY.2] refuses the counter of a copied authenticator', async () => {
  const w = await world()
  await addPasskey(w)
  await w.accounts.stores.credentials.usedPasskey(w.authenticator.id, 5)
  expect(refusalOf(await logIn(w, new Surfer(w.accounts.url)))).toEqual(REFUSED)
})

test('[PASSKEY.2] refuses an unknown or removed passkey, and the signature of another one', async () => {
  const w = await world()
  expect(refusalOf(await logIn(w, new Surfer(w.accounts.url)))).toEqual(REFUSED)
  await addPasskey(w)
  const other = new SoftAuthenticator(w.accounts.url)
  const surfer = new Surfer(w.accounts.url)
  const { begun, options } = await beginLogin(w, surfer)
  const forged = { ...other.get(options), id: w.authenticator.id, rawId: w.authenticator.id }
  expect(refusalOf(await answer(w, surfer, { begun, credential: forged }))).toEqual(REFUSED)
  await w.accounts.stores.credentials.removePasskey('user_ann', w.authenticator.id)
  expect(refusalOf(await logIn(w, new Surfer(w.accounts.url)))).toEqual(REFUSED)
})

test('[ACCT.7] [PASSKEY.2] refuses the passkey of a suspended user, and does not count it as a guess', async () => {
  const w = await world()
  await addPasskey(w)
  await w.accounts.stores.users.setState('user_ann', 'suspended')
  const surfer = new Surfer(w.accounts.url)
  expect(refusalOf(await logIn(w, surfer))).toEqual([codes.user_suspended.http, 'user_suspended'])
  expect(surfer.cookies.has('accessToken')).toBe(false)
  const [failure] = w.accounts.recorded.named('login_failed')
  expect(failure).toMatchObject({ userId: 'user_ann', reason: 'user_suspended' })
  expect(failure).not.toHaveProperty('counted')
})

test('[PASSKEY.2] refuses an answer of another form than browsers send', async () => {
  const w = await world()
  await addPasskey(w)
  const surfer = new Surfer(w.accounts.url)
  type Right = ReturnType<SoftAuthenticator['get']>
  const changes: readonly ((right: Right) => unknown)[] = [
    () => undefined,
    () => 'text',
    (right) => ({ ...right, type: 'password' }),
    (right) => ({ ...right, id: 7 }),
    (right) => ({ ...right, rawId: undefined }),
    (right) => ({ ...right, clientExtensionResults: undefined }),
    (right) => ({ ...right, authenticatorAttachment: 'elsewhere' }),
    (right) => ({ ...right, response: undefined }),
    (right) => ({ ...right, response: { ...right.response, clientDataJSON: undefined } }),
    (right) => ({ ...right, response: { ...right.response, authenticatorData: 7 } }),
    (right) => ({ ...right, response: { ...right.response, signature: null } }),
    (right) => ({ ...right, response: { ...right.response, userHandle: 7 } }),
  ]
  for (const change of changes) {
    const { begun, options } = await beginLogin(w, surfer)
    const credential = change(w.authenticator.get(options))
    expect(refusalOf(await answer(w, surfer, { begun, credential })), String(change)).toEqual(REFUSED)
    // So that the failures do not block the address.
    w.system.advance(60_000)
  }
  for (const begun of [undefined, 7, '', 'v1.AAAA']) {
    const credential = w.authenticator.get((await beginLogin(w, surfer)).options)
    expect(refusalOf(await answer(w, surfer, { begun, credential }))).toEqual(REFUSED)
  }
})

test('[PASSKEY.1] refuses a new passkey of another form than browsers send', async () => {
  const w = await world()
  const { begun, options } = await beginAdding(w)
  const right = w.authenticator.create(options)
  for (const credential of [{ ...right, response: { ...right.response, transports: [7] } }, 7])
    expect(refusalOf(await add(w, { begun, credential }))).toEqual(REFUSED)
})

test('[PASSKEY.1] [PASSKEY.2] accepts authenticators within the device and beside it', async () => {
  const w = await world()
  const { begun, options } = await beginAdding(w)
  const added = { ...w.authenticator.create(options), authenticatorAttachment: 'platform' }
  expect((await add(w, { begun, credential: added })).status).toBe(200)
  for (const authenticatorAttachment of ['platform', 'cross-platform']) {
    const surfer = new Surfer(w.accounts.url)
    const asked = await beginLogin(w, surfer)
    const credential = { ...w.authenticator.get(asked.options), authenticatorAttachment }
    expect((await answer(w, surfer, { begun: asked.begun, credential })).status).toBe(200)
  }
})

test('[PASSKEY.3] keeps 32 passkeys, also if two logins add one at once', async () => {
  const w = await world()
  const { credentials } = w.accounts.stores
  const filled = { userId: 'user_ann', name: 'x', publicKey: 'AAAA', counter: 0, transports: [] }
  for (let index = 0; index < 31; index++)
    await credentials.addPasskey({ ...filled, credentialId: `c${index}`, createdAtMs: 0 })
  const elsewhere = { ...w, ann: await w.accounts.login('ann') }
  const late = new SoftAuthenticator(w.accounts.url)
  const [one, other] = [await beginAdding(w), await beginAdding(elsewhere)]
  const first = await add(w, { begun: one.begun, credential: w.authenticator.create(one.options) })
  expect(first.status).toBe(200)
  const second = await add(elsewhere, { begun: other.begun, credential: late.create(other.options) })
  expect(refusalOf(second)).toEqual(REFUSED)
  expect(await credentials.passkeysOf('user_ann')).toHaveLength(32)
  expect(await credentials.findPasskey(late.id)).toBeUndefined()
  expect(JSON.stringify(await beginAdding(w))).toContain('A user may have 32. Remove one first.')
})

test('[LIMIT.5] refuses a passkey, password and code of a user who logs in too often', async () => {
  const w = await world()
  const { accounts, system } = w
  await addPasskey(w)
  const surfer = new Surfer(accounts.url)
  const page = await surfer.get('/login')
  const { formToken = '' } = hiddenFields(page.text, '/login')
  const json = { 'content-type': 'application/json', origin: accounts.url, 'x-form-token': formToken }
  const logInAgain = async () => {
    const { begun, options }: Begun = JSON.parse(
      (await surfer.send('POST', '/login/passkey/begin', '{}', json)).text,
    )
    const body = { begun, credential: w.authenticator.get(options) }
    return surfer.send('POST', '/login/passkey', JSON.stringify(body), json)
  }
  // One login by password came first.
  for (let count = 1; count < 100; count++) expect((await logInAgain()).status).toBe(200)
  const denied = await logInAgain()
  expect(refusalOf(denied)).toEqual([429, 'login_limited'])
  expect(denied.headers.get('retry-after')).toEqual(['900'])

  const fields = { email: 'ann@example.com', password: PASSWORD }
  const byPassword = await surfer.submit(page, '/login', fields)
  expect([byPassword.status, byPassword.text.includes('Too many logins')]).toEqual([429, true])
  const secret = new Secret({ size: 20 })
  const sealed = seal(PAGE_KEY, 'second factor of user_ann', secret.base32, system)
  await accounts.stores.credentials.setTotp('user_ann', sealed)
  const step = await surfer.submit(page, '/login', fields)
  const code = TOTP.generate({ secret, timestamp: system.nowMs() })
  const byCode = await surfer.submit(step, '/login/code', { code })
  expect([byCode.status, byCode.text.includes('Too many logins')]).toEqual([429, true])
})
