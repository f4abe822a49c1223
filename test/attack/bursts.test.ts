import type { Authenticator } from '@bridgekeeper/bridge'
import { expect, test } from 'vitest'
import { startAccounts } from '../support/accounts.ts'
import { LIST } from '../support/attacker.ts'
import { bearer, post } from '../support/mcp.ts'
import { startOAuth } from '../support/oauth.ts'
import { hiddenFields, Surfer } from '../support/surfer.ts'

/** A bridge that counts the tokens it verifies at once and in all, and finishes none before this many sockets are open. */
async function startCounting(sockets: number) {
  let inner: Authenticator | undefined
  let running = 0
  const seen = { total: 0, most: 0 }
  const arrived = Promise.withResolvers<void>()
  const accounts = await startAccounts({
    bridge: {
      authenticator: {
        recall: () => undefined,
        async authenticate(token) {
          seen.total++
          seen.most = Math.max(seen.most, ++running)
          await arrived.promise
          const verdict = await (inner as Authenticator).authenticate(token)
          running--
          return verdict
        },
      },
    },
  })
  inner = accounts.tokens
  let left = sockets
  accounts.server.on('connection', () => --left === 0 && arrived.resolve())
  return { accounts, seen }
}

test('[ADDR.8] checks ten of 66 concurrent passwords for 66 accounts from one address', async () => {
  const accounts = await startAccounts()
  const surfer = new Surfer(accounts.url)
  const fields = hiddenFields((await surfer.get('/login')).text, '/login')
  const answers = await Promise.all(
    Array.from({ length: 66 }, (_, i) =>
      surfer.post('/login', { ...fields, email: `user${i}@example.com`, password: 'a wrong password' }),
    ),
  )
  const count = (words: string) => answers.filter(({ text }) => text.includes(words)).length
  expect([count('password is wrong'), count('This address failed too often')]).toEqual([10, 56])
}, 60_000)

test('[ADDR.8] verifies ten of 200 concurrent forged tokens from one address', async () => {
  const { accounts, seen } = await startCounting(200)
  const { accessToken } = await accounts.tokens.issue(await accounts.user('ann'), 60_000)
  const forged = (i: number) => `${accessToken.slice(0, -8)}${String(i).padStart(8, 'A')}`
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, i) => post(accounts, '/mcp', LIST, bearer(forged(i)))),
  )
  expect(seen).toEqual({ total: 10, most: 10 })
  const count = (wanted: number) => answers.filter(({ status }) => status === wanted).length
  expect([count(401), count(403)]).toEqual([10, 190])
}, 60_000)

test('[ADDR.8] verifies at most ten valid tokens of one address at a time, and admits all 60', async () => {
  const { accounts, seen } = await startCounting(60)
  const user = await accounts.user('ann')
  const tokens = await Promise.all(Array.from({ length: 60 }, () => accounts.tokens.issue(user, 60_000)))
  const answers = await Promise.all(
    tokens.map(({ accessToken }) => post(accounts, '/mcp', LIST, bearer(accessToken))),
  )
  expect(answers.map(({ status }) => status)).toEqual(Array(60).fill(200))
  expect(seen).toEqual({ total: 60, most: 10 })
}, 60_000)

test('[ADDR.8] verifies ten of 60 concurrent forged enrolment tokens from one address', async () => {
  const node = await startOAuth()
  const forged = `${Buffer.from('{"alg":"ES256","typ":"at+jwt"}').toString('base64url')}.e30.AAAA`
  const answers = await Promise.all(
    Array.from({ length: 60 }, async (_, i) => {
      const response = await fetch(`${node.url}/api/devices`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${forged}${i}` },
        body: JSON.stringify({ proof: 'none' }),
      })
      return ((await response.json()) as { error: { code: string } }).error.code
    }),
  )
  const blocked = answers.filter((code) => code === 'address_blocked')
  expect(new Set(answers)).toEqual(new Set(['token_invalid', 'address_blocked']))
  expect(answers.length - blocked.length).toBe(10)
}, 60_000)
