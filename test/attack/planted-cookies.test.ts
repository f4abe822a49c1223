import { expect, test } from 'vitest'
import { PASSWORD, startAccounts } from '../support/accounts.ts'
import { LIST } from '../support/attacker.ts'
import { startBridge, type TestBridge } from '../support/bridge.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { tryUpgrade } from '../support/raw.ts'
import { Surfer } from '../support/surfer.ts'

/** More than enough failures to block an address. */
const TRIES = 12

async function expectNotBlocked(at: TestBridge): Promise<void> {
  const { accessToken } = await at.token('ann')
  expect((await post(at, '/mcp', LIST, bearer(accessToken))).status).toBe(200)
  expect((await tryUpgrade(at, { token: accessToken })).status).toBe(101)
}

test.each<[string, Readonly<Record<string, string>>, string]>([
  ['a planted cookie', { cookie: 'accessToken=a.b.c' }, 'token_invalid'],
  ['two planted cookies', { cookie: 'accessToken=a.b.c; accessToken=d.e.f' }, 'token_ambiguous'],
  ['a planted cookie beside a header', { cookie: 'accessToken=a', ...bearer('b') }, 'token_ambiguous'],
  ['a name and password out of a link', { authorization: 'Basic YTpi' }, 'token_invalid'],
  ['nothing', {}, 'token_missing'],
])(
  '[ADDR.7] does not block the address of a browser that is made to send %s',
  async (_what, headers, code) => {
    const at = await startBridge()
    for (let count = 0; count < TRIES; count++)
      expect((await post(at, '/mcp', LIST, headers)).json.error.data.code).toBe(code)
    await expectNotBlocked(at)
  },
)

test.each<[string, readonly string[], string]>([
  ['a planted cookie', ['Cookie: accessToken=a.b.c'], 'token_invalid'],
  [
    'a planted cookie beside a header',
    ['Cookie: accessToken=a', 'Authorization: Bearer b'],
    'token_ambiguous',
  ],
  ['no token but a cookie', ['Cookie: theme=dark'], 'token_missing'],
])('[ADDR.7] does not block the address for an upgrade with %s', async (_what, headers, code) => {
  const at = await startBridge()
  for (let count = 0; count < TRIES; count++)
    expect(await tryUpgrade(at, { headers: [...headers] })).toMatchObject({ code })
  await expectNotBlocked(at)
})

test('[ADDR.7] does not block a logged-out page of a listed origin that keeps connecting', async () => {
  const at = await startBridge({ allowedOrigins: ['https://app.example'] })
  for (let count = 0; count < TRIES; count++)
    expect(await tryUpgrade(at, { headers: ['Origin: https://app.example'] })).toMatchObject({
      code: 'token_missing',
    })
  await expectNotBlocked(at)
})

test('[ADDR.5] [ADDR.7] blocks a program that guesses in a header or upgrades without a token', async () => {
  const guesser = await startBridge()
  for (let count = 0; count < 10; count++) await post(guesser, '/mcp', LIST, bearer('a.b.c'))
  expect((await post(guesser, '/mcp', LIST, bearer('a.b.c'))).json.error.data.code).toBe('address_blocked')
  const knocker = await startBridge()
  for (let count = 0; count < 10; count++) await tryUpgrade(knocker)
  expect((await tryUpgrade(knocker)).code).toBe('address_blocked')
})

test('[ADDR.7] does not block an address for planted cookies at pages', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann')
  const names = ['accessToken', 'refreshToken', 'visit', 'confirmed', 'providerLogin', 'oauthSession']
  const cookie = names.map((name) => `${name}=planted`).join('; ')
  const victim = new Surfer(accounts.url)
  for (let count = 0; count < TRIES; count++) {
    await victim.send('GET', '/account', undefined, { cookie })
    await victim.send('POST', '/auth/refresh', undefined, { cookie, origin: accounts.url })
    await victim.send('POST', '/mcp', JSON.stringify(toolCall('s__t')), { cookie })
  }
  expect(accounts.recorded.named('address_blocked')).toEqual([])
  expect((await accounts.login('ann')).cookies.has('accessToken')).toBe(true)
})

test('[ADDR.7] does not block an address for forms that another site submits, whatever their passwords', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann')
  const victim = new Surfer(accounts.url)
  await victim.get('/login')
  const guess = { email: 'ann@example.com', password: 'wrong', formToken: 'x' }
  for (let count = 0; count < TRIES; count++) {
    expect((await victim.post('/login', guess, { origin: 'https://evil.example' })).status).toBe(403)
    expect((await victim.post('/login', guess, { origin: 'null' })).status).toBe(403)
    expect((await victim.post('/login', guess)).status).toBe(403)
    expect((await victim.post('/login/code', { code: '123456' }, { origin: 'null' })).status).toBe(403)
  }
  expect(accounts.recorded.named('address_blocked')).toEqual([])
  expect((await accounts.login('ann', PASSWORD)).cookies.has('accessToken')).toBe(true)
})
