import { FairTurns, Passwords, PasswordsBusy, passwordProblem } from '@bridgekeeper/standalone/testing'
import { hash, parseOptions } from '@node-rs/argon2'
import { expect, test } from 'vitest'
import { PASSWORD, startAccounts } from '../support/accounts.ts'
import { textOf } from '../support/surfer.ts'

test('[ACCT.1] hashes a password as argon2id with OWASP’s parameters and its own salt', async () => {
  const { stores, user } = await startAccounts()
  await user('ann')
  await user('bob')
  const ann = (await stores.credentials.find('user_ann'))?.passwordHash ?? ''
  const bob = (await stores.credentials.find('user_bob'))?.passwordHash ?? ''
  expect(parseOptions(ann)).toMatchObject({
    algorithm: 2,
    memoryCost: 19_456,
    timeCost: 2,
    parallelism: 1,
    saltLen: 16,
  })
  expect(ann.split('$').at(-2)).not.toBe(bob.split('$').at(-2))
})

test('[ACCT.1] hashes two passwords at a time, and refuses more than 64 waiting', async () => {
  const { stores, system, user } = await startAccounts()
  await user('ann')
  const passwords = new Passwords(stores.credentials, system)
  const tries = Array.from({ length: 80 }, () => passwords.check('user_ann', PASSWORD))
  const results = await Promise.allSettled(tries)
  const busy = results.filter(
    (result) => result.status === 'rejected' && result.reason instanceof PasswordsBusy,
  )
  const right = results.filter((result) => result.status === 'fulfilled' && result.value)
  expect(busy).toHaveLength(14)
  expect(right).toHaveLength(66)
  expect(await passwords.check('user_ann', PASSWORD)).toBe(true)
}, 120_000)

/** Jobs of askers that end one after the other, and the order in which they began. */
function jobs(maxWaiting: number) {
  const turns = new FairTurns({ maxAtOnce: 1, maxWaiting }, () => new PasswordsBusy('busy'))
  const order: string[] = []
  const ask = (name: string): Promise<string> =>
    turns.run(name[0] ?? '', async () => {
      order.push(name)
      await new Promise((resolve) => setImmediate(resolve))
      return name
    })
  return { order, ask }
}

test('[ACCT.1] serves addresses in turn, however many passwords one has waiting', async () => {
  const { order, ask } = jobs(64)
  await Promise.all(['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'b2'].map(ask))
  expect(order).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4'])
})

test('[ACCT.1] when the queue is full, drops the newest password of the address with the most', async () => {
  const { order, ask } = jobs(3)
  const asked = ['a1', 'a2', 'a3', 'a4', 'b1', 'a5', 'b2'].map(ask)
  const results = await Promise.allSettled(asked)
  expect(results.map(({ status }) => status === 'fulfilled')).toEqual([
    ...[true, true, true, false, true, false, false],
  ])
  expect(order).toEqual(['a1', 'a2', 'b1', 'a3'])
})

test('[ACCT.1] has as much room for waiting passwords after many were served or refused', async () => {
  const { ask } = jobs(2)
  for (let round = 0; round < 3; round++) {
    const results = await Promise.allSettled(['a1', 'a2', 'a3', 'b1', 'a4'].map(ask))
    expect(results.map(({ status }) => status === 'fulfilled')).toEqual([true, true, false, true, false])
  }
})

test('[ACCT.2] judges a password by its length and a list of common ones only', () => {
  const problem = (text: string): string | undefined => passwordProblem(text, 'benjamin@example.com')
  for (const fine of [
    'correct horse reads',
    'ich mag süße Brötchen',
    '日本語のパスワードです。長い',
    '            a           b',
    'xxxxxxyzabcdefg',
    '!superman!2026 ',
    `${'a'.repeat(64)}${'b'.repeat(64)}`,
  ])
    expect(problem(fine), fine).toBeUndefined()
  for (const short of ['', 'short', 'elevenchars', '👍👍👍👍👍👍👍👍👍👍👍'])
    expect(problem(short), short).toMatch(/at least 12/)
  expect(problem('ab'.repeat(65))).toMatch(/at most 128/)
  for (const obvious of [
    'password1234',
    'PassWord1234',
    'aaaaaaaaaaaa',
    'abcabcabcabc',
    '123456789012',
    '987654321098',
    'abcdefghijklmnop',
    'benjamin@example.com',
    'benjamin2026',
    'Bridgekeeper1',
    'qwertyuiop12',
    'ADMINISTRATOR',
    'sanfrancisco',
    'ｓａｎｆｒａｎｃｉｓｃｏ',
    'password@1234',
    'letmeinletmein',
    'welcome12345',
    '!!superman2026',
  ])
    expect(problem(obvious), obvious).toMatch(/too common/)
})

test('[ACCT.2] refuses a password on the page, and names the rule', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann')
  const ann = await accounts.login('ann')
  const before = await accounts.stores.credentials.find('user_ann')
  const page = await ann.get('/account/password')
  const seen = await ann.submit(page, '/account/password', {
    currentPassword: PASSWORD,
    newPassword: 'short',
  })
  expect(seen.status).toBe(403)
  expect(textOf(seen.text)).toContain('Use at least 12 characters')
  expect(await accounts.stores.credentials.find('user_ann')).toEqual(before)
})

test('[ACCT.4] accepts a hash with older parameters, and replaces it', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann')
  await accounts.stores.credentials.setPassword(
    'user_ann',
    await hash(PASSWORD, { memoryCost: 4_096, timeCost: 1 }),
  )
  await accounts.login('ann')
  const renewed = (await accounts.stores.credentials.find('user_ann'))?.passwordHash ?? ''
  expect(parseOptions(renewed)).toMatchObject({ memoryCost: 19_456, timeCost: 2 })
  await accounts.login('ann')
})

test('[ACCT.2] accepts the same password in another Unicode normalization', async () => {
  const accounts = await startAccounts()
  await accounts.user('ann', { password: 'ein süßes Frühstück' })
  await accounts.login('ann', 'ein süßes Frühstück'.normalize('NFD'))
})
