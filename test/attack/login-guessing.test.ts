import { seal } from '@bridgekeeper/bridge/testing'
import { Secret, TOTP } from 'otpauth'
import { expect, test } from 'vitest'
import { PAGE_KEY, PASSWORD, startAccounts, type TestAccounts } from '../support/accounts.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { hiddenFields, type Seen, Surfer } from '../support/surfer.ts'

const PROXIED = {
  trustedProxies: ['127.0.0.1/32'],
  addressFailures: { failures: 10_000, windowMs: 60_000, blockMs: 1_000 },
}

/** Tries passwords as fast as possible, from any forwarded address. */
class Guesser {
  readonly #surfer: Surfer
  #fields: Record<string, string> = {}

  constructor(accounts: TestAccounts) {
    this.#surfer = new Surfer(accounts.url)
  }

  async ready(): Promise<this> {
    this.#fields = hiddenFields((await this.#surfer.get('/login')).text, '/login')
    return this
  }

  guess(email: string, password: string, from = '203.0.113.7'): Promise<Seen> {
    return this.#surfer.post('/login', { ...this.#fields, email, password }, { 'x-forwarded-for': from })
  }
}

test('[ACCT.3] answers alike and does the same work for a wrong password, an unknown user and a user without a password', async () => {
  const accounts = await startAccounts({ bridge: PROXIED })
  for (let i = 0; i < 4; i++) await accounts.user(`real${i}`)
  for (let i = 0; i < 4; i++) await accounts.user(`bare${i}`, { password: '' })
  const guesser = await new Guesser(accounts).ready()
  const kinds = ['real', 'bare', 'fake'] as const
  const costs: Record<(typeof kinds)[number], number> = { real: 0, bare: 0, fake: 0 }
  const answers = new Set<string>()
  for (let round = 0; round < 3; round++)
    for (let i = 0; i < 4; i++)
      for (const kind of kinds) {
        const email = `${kind}${i}@example.com`
        const before = process.cpuUsage()
        const { status, text } = await guesser.guess(email, 'not this one, sorry')
        costs[kind] += process.cpuUsage(before).user
        answers.add(`${status} ${text.replaceAll(email, 'EMAIL')}`)
      }
  expect(answers.size).toBe(1)
  // Processor time, which other processes do not add to. Without a decoy it is a small part.
  for (const other of [costs.bare, costs.fake]) {
    expect(other / costs.real).toBeGreaterThan(0.5)
    expect(other / costs.real).toBeLessThan(2)
  }
  const failures = accounts.recorded.named('login_failed')
  expect(failures.length).toBeGreaterThan(0)
  expect(JSON.stringify(failures)).not.toContain('@')
}, 120_000)

test('[LIMIT.1] [LIMIT.3] checks five of a hundred concurrent passwords from one address', async () => {
  const accounts = await startAccounts({ bridge: PROXIED })
  await accounts.user('ann')
  const guesser = await new Guesser(accounts).ready()
  const guesses = Array.from({ length: 99 }, (_, i) => guesser.guess('Ann@example.com', `guess number ${i}`))
  const answers = await Promise.all([...guesses, guesser.guess('ann@example.com', PASSWORD)])
  const looked = answers.filter(({ status }) => status === 403)
  const limited = answers.filter(({ status }) => status === 429)
  expect([looked.length, limited.length]).toEqual([5, 95])
  const retryAfter = Number(limited[0]?.headers.get('retry-after')?.[0])
  expect(retryAfter).toBeGreaterThan(14 * 60)
  expect(retryAfter).toBeLessThanOrEqual(15 * 60)
  expect(accounts.recorded.named('login_limited')[0]).toMatchObject({ limit: 'password', userId: 'user_ann' })
  // The owner elsewhere is not locked out by it.
  expect((await guesser.guess('ann@example.com', PASSWORD, '198.51.100.1')).status).toBe(303)
}, 120_000)

test('[LIMIT.1] [LIMIT.4] checks fifty passwords an hour from many addresses, and blocks no address for the rest', async () => {
  const system = new FakeSystem()
  const accounts = await startAccounts({ system, bridge: PROXIED })
  await accounts.user('ann')
  const guesser = await new Guesser(accounts).ready()
  const statuses: number[] = []
  for (let i = 0; i < 60; i++)
    statuses.push((await guesser.guess('ann@example.com', `guess number ${i}`, `203.0.${i}.7`)).status)
  expect(statuses).toEqual([...Array(50).fill(403), ...Array(10).fill(429)])
  // The account's owner, who keeps trying, gets the same answer and is not blocked.
  for (let i = 0; i < 12; i++)
    expect((await guesser.guess('ann@example.com', PASSWORD, '198.51.100.1')).status).toBe(429)
  expect(accounts.recorded.named('address_blocked')).toEqual([])
  system.advance(3_600_001)
  expect((await guesser.guess('ann@example.com', PASSWORD)).status).toBe(303)
}, 120_000)

test('[LIMIT.2] checks five second-factor codes per address, and ten in all', async () => {
  const system = new FakeSystem()
  const accounts = await startAccounts({ system, bridge: PROXIED })
  await accounts.user('ann')
  const secret = new Secret({ size: 20 })
  const sealed = seal(PAGE_KEY, 'second factor of user_ann', secret.base32, system)
  await accounts.stores.credentials.setTotp('user_ann', sealed)
  const right = TOTP.generate({ secret, timestamp: system.nowMs() })
  const statuses: number[] = []
  for (const from of ['203.0.113.1', '203.0.113.2', '203.0.113.3']) {
    const surfer = new Surfer(accounts.url)
    const page = await surfer.get('/login')
    const fields = { email: 'ann@example.com', password: PASSWORD }
    const step = await surfer.submit(page, '/login', fields, { 'x-forwarded-for': from })
    for (let i = 0; i < 6; i++) {
      const code = String((Number(right) + 1 + statuses.length) % 1_000_000).padStart(6, '0')
      const seen = await surfer.submit(step, '/login/code', { code }, { 'x-forwarded-for': from })
      statuses.push(seen.status)
    }
  }
  const five = [403, 403, 403, 403, 403, 429]
  expect(statuses).toEqual([...five, ...five, 429, 429, 429, 429, 429, 429])
  expect(accounts.recorded.named('login_limited')[0]).toMatchObject({ limit: 'code', userId: 'user_ann' })
}, 120_000)

test('[LIMIT.4] blocks the address at every entry after ten wrong logins within a minute', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann')
  const other = await accounts.login('ann')
  const guesser = await new Guesser(accounts).ready()
  const statuses: number[] = []
  for (let i = 0; i < 11; i++)
    statuses.push((await guesser.guess(`user${i}@example.com`, 'a wrong password')).status)
  expect(statuses).toEqual([...Array(10).fill(403), 403])
  expect(accounts.recorded.named('address_blocked')).toHaveLength(1)
  expect((await new Surfer(accounts.url).get('/login')).text).toContain('This address failed too often')
  expect((await other.get('/account')).status).toBe(403)
  const mcp = await other.send('POST', '/mcp', '{}')
  expect([mcp.status, mcp.text.includes('address_blocked')]).toEqual([403, true])
}, 120_000)
