import { Secret, TOTP } from 'otpauth'
import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { Totp } from '../../src/accounts/totp.ts'
import { openSqliteStores } from '../../src/adapters/sql/open.ts'
import { readRefreshToken, writeRefreshToken } from '../../src/browser/refresh-token.ts'
import { passwordProblem } from '../../src/passwords/password-rules.ts'

const KEY = Buffer.alloc(32, 1)

test('[LOGIN.6] reads a refresh token that this installation wrote, and no other', () => {
  for (const token of [
    { sessionId: 's', generation: 1 },
    { sessionId: 'a-Z_0'.repeat(12), generation: 9_999_999_999 },
  ])
    expect(readRefreshToken(KEY, writeRefreshToken(KEY, token))).toEqual(token)
  const text = writeRefreshToken(KEY, { sessionId: 's', generation: 12 })
  const mac = text.split('.')[2] ?? ''
  for (const other of [
    '',
    's.12',
    `s.12.`,
    `s.13.${mac}`,
    `s.012.${mac}`,
    `t.12.${mac}`,
    `${text}x`,
    `x ${text}`,
    `${text} `,
    `s.12.${mac.slice(1)}`,
    writeRefreshToken(Buffer.alloc(32, 2), { sessionId: 's', generation: 12 }),
    writeRefreshToken(KEY, { sessionId: '', generation: 1 }),
    writeRefreshToken(KEY, { sessionId: 'a b', generation: 1 }),
    writeRefreshToken(KEY, { sessionId: 'x'.repeat(65), generation: 1 }),
    writeRefreshToken(KEY, { sessionId: 's', generation: 0 }),
    writeRefreshToken(KEY, { sessionId: 's', generation: 10_000_000_000 }),
  ])
    expect(readRefreshToken(KEY, other), other).toBeUndefined()
})

async function totpWorld() {
  const system = new FakeSystem()
  const stores = await openSqliteStores(':memory:', system)
  await stores.users.add({
    userId: 'ann',
    email: 'ann@example.com',
    tokenVersion: 0,
    createdAtMs: 0,
    state: 'active',
  })
  const totp = new Totp(stores.credentials, system, KEY)
  const { text, uri, sealed } = totp.begin('ann', 'ann@example.com', 'Service')
  const base32 = totp.begun('ann', sealed) ?? ''
  const code = (steps = 0) =>
    TOTP.generate({ secret: Secret.fromBase32(base32), timestamp: system.nowMs() + steps * 30_000 })
  const check = async (given: string) =>
    totp.check((await stores.credentials.find('ann')) ?? { userId: 'ann' }, given)
  return { system, stores, totp, text, uri, sealed, base32, code, check }
}

test('[TOTP.1] shows a secret of 160 bits in groups of four, and the same one again', async () => {
  const { totp, text, uri, sealed, base32, stores } = await totpWorld()
  expect(base32).toMatch(/^[A-Z2-7]{32}$/)
  expect(text).toMatch(/^(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}$/)
  expect(text.replaceAll(' ', '')).toBe(base32)
  expect(uri).toContain('otpauth://totp/Service:ann%40example.com?issuer=Service&secret=')
  expect(uri).toContain('&algorithm=SHA1&digits=6&period=30')
  const again = totp.begin('ann', 'ann@example.com', 'Service', base32)
  expect([again.text, totp.begun('ann', again.sealed)]).toEqual([text, base32])
  for (const [userId, other] of [
    ['bob', sealed],
    ['ann', undefined],
    ['ann', ''],
  ] as const)
    expect(totp.begun(userId, other)).toBeUndefined()
  await stores.close()
})

test('[TOTP.1] [TOTP.2] accepts codes from one step before to one after the current time, with spaces', async () => {
  const { totp, base32, code, check, system, stores } = await totpWorld()
  for (const wrong of ['', '12345', 'abcdef', `${code()}0`, `0${code()}`, code(-2), code(2)])
    expect(await totp.switchOn('ann', base32, wrong), wrong).toBe(false)
  expect((await stores.credentials.find('ann'))?.totpSecret).toBeUndefined()
  expect(await check(code())).toBe(false)
  expect(await totp.switchOn('ann', base32, ` ${code(-1)}\t`)).toBe(true)
  expect(await check(code(-1))).toBe(false)
  expect(await check(code(2))).toBe(false)
  expect(await check(code(1))).toBe(true)
  expect(await check(code(0))).toBe(false)
  system.advance(60_000)
  expect(await check(code(-2))).toBe(false)
  expect(await check(code().split('').join(' '))).toBe(true)
  expect(await check(code())).toBe(false)
  await stores.close()
})

test('[TOTP.2] refuses every code with a secret that another user or installation sealed, or none', async () => {
  const { totp, base32, code, check, sealed, stores, system } = await totpWorld()
  await totp.switchOn('ann', base32, code())
  system.advance(60_000)
  const known = (await stores.credentials.find('ann'))?.totpSecret ?? ''
  for (const totpSecret of [undefined, '', 'v1.AAAA', sealed])
    expect(await totp.check({ userId: 'ann', totpSecret }, code())).toBe(false)
  expect(await totp.check({ userId: 'bob', totpSecret: known }, code())).toBe(false)
  expect(await check(code())).toBe(true)
  system.advance(60_000)
  await totp.switchOff('ann')
  expect(await check(code())).toBe(false)
  await stores.close()
})

const TOO_COMMON = 'This password is too common. Choose another.'

test.each([
  ['x1y2z3w4v5u', 'Use at least 12 characters; a few words in a row are fine.'],
  ['x1y2z3w4v5u6', undefined],
  ['a horse '.repeat(16), undefined],
  [`${'a horse '.repeat(16)}x`, 'Use at most 128 characters.'],
  // One to four characters repeated, with up to three more.
  ['abcd'.repeat(3), TOO_COMMON],
  ['abcdabcdabcdxyz', TOO_COMMON],
  ['abcdabcdabcdwxyz', undefined],
  ['abcdeabcdeabcde', undefined],
  ['xabcdabcdabcd', undefined],
  // Counting.
  ['890123456789', TOO_COMMON],
  ['210987654321', TOO_COMMON],
  ['xyzabcdefghi', TOO_COMMON],
  // Names with up to five characters around them.
  ['bridgekeeper', TOO_COMMON],
  ['12bridgekeeper345', TOO_COMMON],
  ['12bridgekeeper3456', undefined],
  ['annabella123', TOO_COMMON],
  ['annabella@example.com', TOO_COMMON],
  ['annabella@example.org', undefined],
  // Common ones, and those that such lists lack.
  ['correcthorsebatterystaple', TOO_COMMON],
  ['p@ssw0rd12345', TOO_COMMON],
  ['passw0rd!2030', TOO_COMMON],
  ['qwertyqwerty', TOO_COMMON],
  ['qwertyuiopas', TOO_COMMON],
  ['1password@123', TOO_COMMON],
  ['welcomewelcome', TOO_COMMON],
  ['welcomeletmein', undefined],
])('[ACCT.2] judges the password %s', (password, problem) => {
  expect(passwordProblem(password, 'Annabella@example.com')).toBe(problem)
})
