import { seal } from '@bridgekeeper/bridge/testing'
import { expect, test } from 'vitest'
import { PAGE_KEY, PASSWORD, startAccounts, type TestAccounts } from '../support/accounts.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { hiddenFields, type Seen, Surfer, textOf } from '../support/surfer.ts'

/** A provider at which nothing listens: these requests never get there. */
const NOWHERE = {
  issuer: new URL('http://127.0.0.1:9/'),
  clientId: 'bridge',
  clientSecret: 'secret',
  name: 'Example & Sons',
  createUsers: false,
}
const IDENTITY = { issuer: 'https://idp.example', subject: 'ann' }

interface World {
  readonly system: FakeSystem
  readonly accounts: TestAccounts
  readonly ann: Surfer
  readonly sessionId: string
}

async function world(): Promise<World> {
  const system = new FakeSystem()
  const accounts = await startAccounts({ system, provider: NOWHERE })
  await accounts.user('ann')
  const ann = await accounts.login('ann')
  const [session] = await accounts.stores.sessions.ofUser('user_ann')
  return { system, accounts, ann, sessionId: session?.sessionId ?? '' }
}

/** Plants the identity that the provider found for a login, as the callback seals it. */
function plant({ system, ann, sessionId }: World, found: object = IDENTITY): void {
  const text = JSON.stringify({ ...found, untilMs: system.nowMs() + 60_000 })
  ann.cookies.set('providerFound', seal(PAGE_KEY, `found at the provider for ${sessionId}`, text, system))
}

function finish({ ann }: World): Promise<Seen> {
  return ann.get('/account/provider/finish')
}

test('[SSO.5] links the found identity within a minute, records it, and accepts it again for the same user', async () => {
  for (const [afterMs, isLinked] of [
    [59_999, true],
    [60_000, false],
  ] as const) {
    const w = await world()
    plant(w)
    w.system.advance(afterMs)
    const seen = await finish(w)
    expect([seen.status, seen.path]).toEqual(
      isLinked ? [200, '/account?done=linked'] : [403, '/account/provider/finish'],
    )
    expect(w.ann.cookies.has('providerFound')).toBe(false)
    const { credentials } = w.accounts.stores
    expect(await credentials.linkedIdentitiesOf('user_ann')).toEqual(isLinked ? [IDENTITY] : [])
    expect(w.accounts.recorded.named('upstream_linked')).toMatchObject(
      isLinked ? [{ userId: 'user_ann', ip: '127.0.0.1' }] : [],
    )
    if (!isLinked) continue
    plant(w)
    expect((await finish(w)).path).toBe('/account?done=linked')
    expect(w.accounts.recorded.named('upstream_linked')).toHaveLength(1)
  }
})

test('[SSO.5] links nothing without a login, without an identity, or with one in another form', async () => {
  const w = await world()
  expect(textOf((await finish(w)).text)).toContain('The form is too old')
  for (const found of [{}, { issuer: 'x' }, { ...IDENTITY, subject: 7 }]) {
    plant(w, found)
    expect((await finish(w)).status).toBe(500)
  }
  expect(await w.accounts.stores.credentials.linkedIdentitiesOf('user_ann')).toEqual([])
  const stranger = new Surfer(w.accounts.url)
  expect((await stranger.send('GET', '/account/provider/finish')).headers.get('location')).toEqual([
    '/login?returnTo=%2Faccount%2Fprovider%2Ffinish',
  ])
})

test('[SSO.2] [SSO.6] says why an identity is not linked', async () => {
  const w = await world()
  const { credentials } = w.accounts.stores
  await w.accounts.user('bob', { password: '' })
  await credentials.linkIdentity(IDENTITY.issuer, IDENTITY.subject, 'user_bob')
  plant(w)
  const taken = await finish(w)
  expect([taken.status, taken.text.includes('<h1>Not linked</h1>')]).toEqual([409, true])
  expect(textOf(taken.text)).toContain('That account at the provider is already linked to another user.')
  expect(taken.text).toContain('<p><a class="button" href="/account">Back to your account</a></p>')
  expect(taken.text).toContain('<main class="narrow">')
  for (let index = 0; index < 8; index++) await credentials.linkIdentity('i', `s${index}`, 'user_ann')
  plant(w)
  const many = await finish(w)
  expect(many.status).toBe(409)
  expect(textOf(many.text)).toContain('You are linked with 8 accounts there. Unlink them first.')
})

test('[SSO.2] unlinks every account at the provider, only where another way to log in is left', async () => {
  const w = await world()
  const { credentials } = w.accounts.stores
  await credentials.linkIdentity('i', 'one', 'user_ann')
  await credentials.linkIdentity('i', 'two', 'user_ann')
  const page = await w.ann.get('/account/provider')
  expect(page.text).toContain('<h1>Example &amp; Sons</h1>')
  expect(textOf(page.text)).toContain('You can log in with your account at Example & Sons.')
  const wrong = await w.ann.submit(page, '/account/provider/unlink', { currentPassword: 'wrong' })
  expect([wrong.status, textOf(wrong.text).includes('Unlink it')]).toEqual([403, true])

  // As after a login by the provider, which needs no password.
  const proof = `provider ${w.system.nowMs() + 300_000}`
  w.ann.cookies.set('confirmed', seal(PAGE_KEY, `recent login ${w.sessionId}`, proof, w.system))
  await credentials.setPassword('user_ann', undefined)
  const kept = await w.ann.submit(page, '/account/provider/unlink')
  expect(kept.status).toBe(403)
  expect(textOf(kept.text)).toContain(
    'Set a password or add a passkey first. Otherwise you could not log in any more.',
  )
  expect(textOf(kept.text)).toContain('Unlink it')
  expect(await credentials.linkedIdentitiesOf('user_ann')).toHaveLength(2)
  const passkey = { credentialId: 'p', userId: 'user_ann', name: 'p', publicKey: '', counter: 0 }
  await credentials.addPasskey({ ...passkey, transports: [], createdAtMs: 0 })
  const seen = await w.ann.submit(page, '/account/provider/unlink')
  expect([seen.path, textOf(seen.text).includes('Your account there is no longer linked.')]).toEqual([
    '/account?done=unlinked',
    true,
  ])
  expect(await credentials.linkedIdentitiesOf('user_ann')).toEqual([])
  const unlinked = { userId: 'user_ann', ip: '127.0.0.1' }
  expect(w.accounts.recorded.named('upstream_unlinked')).toMatchObject([unlinked, unlinked])
  const [session] = await w.accounts.stores.sessions.ofUser('user_ann')
  expect(session?.sessionId).not.toBe(w.sessionId)
})

test('[SSO.1] says that a provider is down for a login and a link, and asks for the password first', async () => {
  const w = await world()
  const stranger = new Surfer(w.accounts.url)
  const page = await stranger.get('/login?returnTo=/account/users')
  expect(hiddenFields(page.text, '/login/sso')).toMatchObject({ returnTo: '/account/users' })
  const down = await stranger.submit(page, '/login/sso')
  expect([down.status, stranger.cookies.has('providerLogin')]).toEqual([502, false])
  expect((await stranger.post('/login/sso', {})).status).toBe(403)

  const link = await w.ann.get('/account/provider')
  expect(textOf(link.text)).toContain('You will be able to log in with your account at Example & Sons')
  const wrong = await w.ann.submit(link, '/account/provider/link', { currentPassword: 'wrong' })
  expect([wrong.status, textOf(wrong.text).includes('Link it')]).toEqual([403, true])
  expect((await w.ann.submit(link, '/account/provider/link', { currentPassword: PASSWORD })).status).toBe(502)
  for (const path of ['/account/provider/link', '/account/provider/unlink'])
    expect((await new Surfer(w.accounts.url).post(path, {})).headers.get('location')).toEqual([
      '/login?returnTo=%2Faccount%2Fprovider',
    ])
  expect((await new Surfer(w.accounts.url).send('GET', '/account/provider')).headers.get('location')).toEqual(
    ['/login?returnTo=%2Faccount%2Fprovider'],
  )
})

test('[SSO.1] refuses an answer without a question, ten minutes after it, or with one in another form', async () => {
  const w = await world()
  const { system, accounts } = w
  const begun = {
    checks: { state: 's', nonce: 'n', verifier: 'v' },
    returnTo: '/account',
    isLink: false,
    untilMs: system.nowMs() + 600_000,
  }
  const answer = async (cookie: string | undefined) => {
    const surfer = new Surfer(accounts.url)
    if (cookie !== undefined) surfer.cookies.set('providerLogin', cookie)
    const seen = await surfer.get('/login/sso/callback?code=x&state=s')
    return { seen, isCleared: !surfer.cookies.has('providerLogin') }
  }
  const sealed = (value: object) => seal(PAGE_KEY, 'login at the provider', JSON.stringify(value), system)
  for (const cookie of [undefined, 'x'])
    expect(textOf((await answer(cookie)).seen.text)).toContain('The form is too old')
  for (const wrong of [{}, { ...begun, checks: {} }, { ...begun, isLink: 'no' }, { ...begun, untilMs: 'x' }])
    expect((await answer(sealed(wrong))).seen.status).toBe(500)
  const cookie = sealed(begun)
  system.advance(599_999)
  // In time, so that the provider is asked, which is down.
  const inTime = await answer(cookie)
  expect([textOf(inTime.seen.text).includes('The provider did not log you in.'), inTime.isCleared]).toEqual([
    true,
    true,
  ])
  expect(accounts.recorded.named('login_failed')).toMatchObject([
    { reason: 'provider_refused', ip: '127.0.0.1' },
  ])
  system.advance(1)
  expect(textOf((await answer(cookie)).seen.text)).toContain('The form is too old')
})

test('[SSO.4] has no pages of a provider without one', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann')
  const ann = await accounts.login('ann')
  for (const path of ['/account/provider', '/login/sso/callback', '/account/provider/finish'])
    expect((await ann.get(path)).status).toBe(404)
  expect((await ann.get('/login?again=1')).text).not.toContain('/login/sso')
})
