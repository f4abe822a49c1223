import { keyWords } from '@bridgekeeper/protocol'
import * as oauth from 'oauth4webapi'
import { expect, test } from 'vitest'
import { LIST } from '../support/attacker.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { partsOf } from '../support/forge.ts'
import { bearer, post } from '../support/mcp.ts'
import { type OAuthNode, startOAuth } from '../support/oauth.ts'
import { askToken, discover, INSECURE, register } from '../support/oauth-client.ts'
import {
  AGENT,
  askDevice,
  DEVICE_GRANT,
  DEVICE_KEY,
  deviceParameters,
  enterCode,
} from '../support/oauth-device.ts'
import { formOn, Person, wordsOn } from '../support/person.ts'

const poll = (as: oauth.AuthorizationServer, code: string) =>
  askToken(as, { grant_type: DEVICE_GRANT, device_code: code, client_id: AGENT.client_id })

test('[OAUTH.13] approves a machine by its code, name and key words, and issues an enrolment token', async () => {
  const node = await startOAuth()
  const as = await discover(node)
  const device = await askDevice(node, as)
  expect(device).toMatchObject({ interval: 5, expires_in: 600, verification_uri: `${node.url}/device` })
  expect(device.user_code).toMatch(/^[a-z]+-[a-z]+-[a-z]+$/)
  expect((await poll(as, device.device_code)).body.error).toBe('authorization_pending')

  const person = await node.login('ann')
  const confirm = await enterCode(person, node, device.user_code.toUpperCase().replaceAll('-', ' '))
  const words = wordsOn(confirm)
  for (const part of [device.user_code, "Ann's laptop", 'Words of its key', String(keyWords(DEVICE_KEY))])
    expect(words).toContain(part)
  const done = await person.submit(confirm, { confirm: 'yes' })
  expect(wordsOn(done)).toContain('Approved')

  const response = await oauth.deviceCodeGrantRequest(as, AGENT, oauth.None(), device.device_code, INSECURE)
  const tokens = await oauth.processDeviceCodeResponse(as, AGENT, response)
  expect(tokens).toMatchObject({ scope: 'device:enroll', expires_in: 900 })
  expect(tokens.refresh_token).toBeUndefined()
  expect(partsOf(tokens.access_token).claims).toMatchObject({
    sub: 'user_ann',
    aud: `${node.url}/api/devices`,
    device_name: "Ann's laptop",
    device_key: DEVICE_KEY,
  })
  expect(await node.access.verifyEnrolment(tokens.access_token)).toMatchObject({
    value: { userId: 'user_ann', deviceName: "Ann's laptop", deviceKey: DEVICE_KEY },
  })
  expect((await post(node, '/mcp', LIST, bearer(tokens.access_token))).status).toBe(401)
  expect(node.recorded.names).toContain('device_approved')
})

test('[OAUTH.13] leads the link with the code to a prefilled form after the login, and approves nothing by the link', async () => {
  const node = await startOAuth()
  const as = await discover(node)
  const device = await askDevice(node, as)
  const person = new Person(node.url)
  const login = await person.visit(String(device.verification_uri_complete))
  expect(new URL(login.url).pathname).toBe('/login')
  const form = await person.submit(
    login,
    { action: '/login' },
    { email: 'ann@example.com', password: 'a horse that reads maps' },
  )
  expect(form.text).toContain(`value="${device.user_code}"`)
  const confirm = await enterCode(person, node, String(device.verification_uri_complete))
  expect(wordsOn(confirm)).toContain(device.user_code)
  expect((await poll(as, device.device_code)).body.error).toBe('authorization_pending')
  for (const odd of ['<script>', 'AAAA-AAAA"', '%00'])
    expect(
      (await person.visit(`${node.url}/device?user_code=${encodeURIComponent(odd)}`)).text,
    ).not.toContain(odd)
})

test('[OAUTH.13] issues no token after the user refuses', async () => {
  const node = await startOAuth()
  const as = await discover(node)
  const device = await askDevice(node, as)
  const person = await node.login('ann')
  const refused = await person.submit(await enterCode(person, node, device.user_code), { abort: 'yes' })
  expect(wordsOn(refused)).toContain('Refused')
  expect((await poll(as, device.device_code)).body.error).toBe('access_denied')
})

test('[OAUTH.10] asks a client that polls too fast to slow down, each time a little more', async () => {
  const system = new FakeSystem()
  const node = await startOAuth({ system })
  const as = await discover(node)
  const { device_code: code } = await askDevice(node, as)
  const after = async (seconds: number) => {
    system.advance(seconds * 1_000)
    return (await poll(as, code)).body.error
  }
  expect(await after(0)).toBe('authorization_pending')
  expect(await after(5)).toBe('authorization_pending')
  expect(await after(4)).toBe('slow_down')
  expect(await after(9)).toBe('slow_down')
  expect(await after(15)).toBe('authorization_pending')
})

test('[OAUTH.10] accepts a device code once', async () => {
  const node = await startOAuth()
  const as = await discover(node)
  const device = await askDevice(node, as)
  const person = await node.login('ann')
  await person.submit(await enterCode(person, node, device.user_code), { confirm: 'yes' })
  const answers = await Promise.all([1, 2, 3, 4].map(() => poll(as, device.device_code)))
  expect(answers.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1)
  expect((await poll(as, device.device_code)).body.error).toBe('invalid_grant')
  const late = await enterCode(person, node, device.user_code)
  expect(wordsOn(late)).toMatch(/does not exist|used already/)
})

test.each<[string, Record<string, string | undefined>, string]>([
  ['without a name', { device_name: undefined }, 'invalid_request'],
  ['with an empty name', { device_name: ' ' }, 'invalid_request'],
  ['with a long name', { device_name: 'x'.repeat(65) }, 'invalid_request'],
  ['without a key', { device_key: undefined }, 'invalid_request'],
  ['with an invalid key', { device_key: 'abc' }, 'invalid_request'],
  ['for /mcp', { resource: '/mcp' }, 'invalid_target'],
])('[OAUTH.13] refuses an agent that asks %s', async (_what, changes, error) => {
  const node = await startOAuth()
  const as = await discover(node)
  const resource = changes.resource === '/mcp' ? { resource: `${node.url}/mcp` } : {}
  const response = await fetch(String(as.device_authorization_endpoint), {
    method: 'POST',
    body: new URLSearchParams({
      ...deviceParameters(node, { ...changes, ...resource }),
      client_id: AGENT.client_id,
    }),
  })
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ error })
})

test('[OAUTH.5] gives device codes to the agent’s client only, and the agent no token for /mcp', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const ask = async (clientId: string) => {
    const response = await fetch(String(app.as.device_authorization_endpoint), {
      method: 'POST',
      body: new URLSearchParams({ ...deviceParameters(node), client_id: clientId }),
    })
    return response.status
  }
  expect(await ask(app.client.client_id)).toBe(400)
  expect(await ask('nobody')).toBe(401)
  expect(await ask(AGENT.client_id)).toBe(200)
})

async function guess(node: OAuthNode, person: Person, at: number): Promise<number> {
  const code = at % 2 === 0 ? 'abacus-abacus-abacus' : `no code ${at}`
  const page = await person.visit(`${node.url}/device`)
  return (await person.submit(page, { action: '/device' }, { user_code: code })).status
}

test('[OAUTH.13] locks the user and the address after ten wrong user codes', async () => {
  const system = new FakeSystem()
  const node = await startOAuth({ system })
  const device = await askDevice(node, await discover(node))
  const ann = await node.login('ann')
  const bob = await node.login('bob')
  const answers: number[] = []
  for (let at = 0; at < 12; at++) answers.push(await guess(node, ann, at))
  expect(answers).toEqual([...Array(10).fill(200), 429, 429])
  expect(await guess(node, bob, 0)).toBe(429)
  // The right one is refused as well, so that an answer tells nothing.
  const page = await ann.visit(`${node.url}/device`)
  expect((await ann.submit(page, { action: '/device' }, { user_code: device.user_code })).status).toBe(429)
  expect(node.recorded.named('user_code_wrong')).toHaveLength(10)
  system.advance(15 * 60_000)
  expect(await guess(node, await node.login('ann'), 0)).toBe(200)
})

test('[OAUTH.13] checks no more wrong user codes at once than in turn, and does not count right ones', async () => {
  const node = await startOAuth()
  const device = await askDevice(node, await discover(node))
  const ann = await node.login('ann')
  for (let times = 0; times < 12; times++) await enterCode(ann, node, device.user_code)
  const forms: [Person, Awaited<ReturnType<Person['visit']>>][] = []
  for (let browsers = 0; browsers < 14; browsers++) {
    const browser = await node.login('ann')
    forms.push([browser, await browser.visit(`${node.url}/device`)])
  }
  const answers = await Promise.all(
    forms.map(([browser, page]) =>
      browser.submit(page, { action: '/device' }, { user_code: 'abacus-abacus-abacus' }),
    ),
  )
  expect(answers.map(({ status }) => status).sort()).toEqual([...Array(10).fill(200), ...Array(4).fill(429)])
  expect(node.recorded.named('user_code_wrong')).toHaveLength(10)
}, 60_000)

test('[OAUTH.19] enrols nothing for a user whose approval is planted in another browser', async () => {
  const node = await startOAuth()
  const as = await discover(node)
  const device = await askDevice(node, as)
  const bob = await node.login('bob')
  const confirm = await enterCode(bob, node, device.user_code)
  const { values } = formOn(confirm, { confirm: 'yes' })
  const pressed = await bob.send('POST', '/device', new URLSearchParams(values).toString(), {
    origin: node.url,
  })
  const ann = await node.login('ann')
  for (const [key, cookie] of bob.cookies) {
    const [name = ''] = key.split(' ')
    if (/^oauth|^deviceApproval/.test(name)) ann.plant(name, cookie)
  }
  const step = pressed.headers.get('location') ?? ''
  expect(new URL(step, node.url).pathname).toMatch(/^\/interaction\//)
  expect(wordsOn(await ann.visit(new URL(step, node.url).href))).not.toContain('Approved')
  expect((await poll(as, device.device_code)).body).not.toHaveProperty('access_token')
  expect(await node.stores.sessions.ofUser('user_ann')).toHaveLength(1)
})
