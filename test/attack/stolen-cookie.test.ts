import { expect, test } from 'vitest'
import { FakeSystem } from '../support/fake-system.ts'
import { type OAuthNode, PASSWORD, startOAuth } from '../support/oauth.ts'
import { ask, connect, discover, register } from '../support/oauth-client.ts'
import { askDevice, enterCode } from '../support/oauth-device.ts'
import { formOn, Person, wordsOn } from '../support/person.ts'

const SIX_MINUTES_MS = 360_000

/** A browser with nothing but the access token of another one. */
function thiefOf(victim: Person, node: OAuthNode): Person {
  const thief = new Person(node.url)
  for (const [key, cookie] of victim.cookies)
    if (key.startsWith('accessToken ')) thief.plant('accessToken', cookie)
  return thief
}

const grantsOf = async ({ stores }: OAuthNode, userId = 'user_ann') =>
  (await stores.sessions.ofUser(userId)).filter(({ kind }) => kind === 'client')

async function logInAgain(person: Person, page: Awaited<ReturnType<Person['visit']>>) {
  return person.submit(page, { action: '/login' }, { email: 'ann@example.com', password: PASSWORD })
}

test('[ACCT.9] shows no consent page for a stolen access token, and allows no app', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const thief = thiefOf(await node.login('ann'), node)
  const page = await thief.visit((await ask(app)).url.href)
  expect(page.url).toContain('/login?again=1')
  const interaction = new URL(page.url).searchParams.get('returnTo') ?? ''
  expect(interaction).toMatch(/^\/interaction\//)
  const { values } = formOn(await thief.visit(`${node.url}/account`), { action: '/logout' })
  const body = new URLSearchParams({ ...values, answer: 'allow' }).toString()
  const answer = await thief.send('POST', interaction, body, { origin: node.url })
  expect([answer.status, answer.headers.get('location')]).toEqual([
    303,
    expect.stringContaining('/login?again=1'),
  ])
  expect(await grantsOf(node)).toEqual([])
  expect(node.recorded.names).not.toContain('client_approved')
})

test('[ACCT.9] approves no machine with a stolen access token', async () => {
  const node = await startOAuth()
  const device = await askDevice(node, await discover(node))
  const thief = thiefOf(await node.login('ann'), node)
  const page = await thief.visit(`${node.url}/device?user_code=${device.user_code}`)
  expect(page.url).toContain('/login?again=1')
  for (const path of ['/device', '/device/']) {
    const body = new URLSearchParams({ user_code: device.user_code, confirm: 'yes', xsrf: 'x' }).toString()
    const answer = await thief.send('POST', path, body, { origin: node.url })
    expect([path, answer.status]).toEqual([path, 303])
    expect(answer.headers.get('location')).toContain('/login?again=1')
  }
  expect(await grantsOf(node)).toEqual([])
  expect(node.recorded.names).not.toContain('device_approved')
})

test('[ACCT.9] asks a login older than five minutes to log in again, and then allows an app', async () => {
  const system = new FakeSystem()
  const node = await startOAuth({ system })
  const app = await register(node)
  const ann = await node.login('ann')
  system.advance(SIX_MINUTES_MS)
  const login = await ann.visit((await ask(app)).url.href)
  expect(wordsOn(login)).toContain('Confirm that it is you: log in once more.')
  expect(login.text).toContain('value="ann@example.com"')
  const consent = await logInAgain(ann, login)
  expect(wordsOn(consent)).toContain('Connect an app?')
  // The five minutes run out while the page is open.
  system.advance(SIX_MINUTES_MS)
  const late = await ann.submit(consent, { answer: 'allow' })
  expect(late.url).toContain('/login?again=1')
  expect(await grantsOf(node)).toEqual([])
  const { left } = await ann.submit(await logInAgain(ann, late), { answer: 'allow' })
  expect(left?.searchParams.get('code')).toBeTruthy()
  expect(await grantsOf(node)).toHaveLength(1)
})

test('[ACCT.9] asks a login older than five minutes to log in again, and then approves a machine', async () => {
  const system = new FakeSystem()
  const node = await startOAuth({ system })
  const device = await askDevice(node, await discover(node))
  const ann = await node.login('ann')
  system.advance(SIX_MINUTES_MS)
  const login = await ann.visit(`${node.url}/device?user_code=${device.user_code}`)
  const form = await logInAgain(ann, login)
  expect(form.text).toContain(`value="${device.user_code}"`)
  const confirm = await enterCode(ann, node, device.user_code)
  expect(wordsOn(await ann.submit(confirm, { confirm: 'yes' }))).toContain('Approved')
})

test('[ACCT.9] allows an app after a fresh login without asking again', async () => {
  const system = new FakeSystem()
  const node = await startOAuth({ system })
  const app = await register(node)
  const ann = new Person(node.url)
  const login = await ann.visit((await ask(app)).url.href)
  system.advance(SIX_MINUTES_MS)
  const consent = await logInAgain(ann, login)
  system.advance(SIX_MINUTES_MS - 61_000)
  const { left } = await ann.submit(consent, { answer: 'allow' })
  expect(left?.searchParams.get('code')).toBeTruthy()
})

test('[ACCT.9] grants an app that was allowed before nothing new without a page', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const ann = await node.login('ann')
  await connect(ann, app)
  const before = await grantsOf(node)
  const { left } = await ann.visit((await ask(app, { prompt: 'none' })).url.href)
  expect(left?.searchParams.get('code') ?? null).toBeNull()
  expect(await grantsOf(node)).toEqual(before)
})
