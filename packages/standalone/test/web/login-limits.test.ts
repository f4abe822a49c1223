import { allow, deny } from '@bridgekeeper/bridge'
import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { Recorded } from '../../../../test/support/recorded.ts'
import { type Attempt, LoginLimits } from '../../src/accounts/login-limits.ts'

const MINUTE_MS = 60_000
const addressOf = (key: string, isProxy = false) => ({ ip: `${key}.ip`, key, isProxy })
const HERE = addressOf('here')

/** Limits behind a door that admits everybody unless told otherwise, and counts the checks in flight. */
function world() {
  const system = new FakeSystem()
  const recorded = new Recorded()
  const door = {
    isOpen: true,
    checking: 0,
    failures: [] as string[],
    enter: () => allow(HERE),
    beginCheck: async () => {
      if (!door.isOpen) return deny('address_blocked')
      door.checking++
      return allow(() => void door.checking--)
    },
    failed: ({ key }: { readonly key: string }) => void door.failures.push(key),
  }
  const limits = new LoginLimits(door, recorded.securityLog, system)
  /** Tries once. */
  const attempt = async (tried: Attempt, address = HERE) => {
    const begun = await limits.begin(tried, address)
    if (begun.allowed) begun.value()
    return begun.allowed ? 'checked' : begun
  }
  return { system, recorded, door, limits, attempt }
}

test.each([
  ['password', 5, 50],
  ['code', 5, 10],
] as const)(
  '[LIMIT.1] [LIMIT.2] checks a %s %i times from one address and %i times in all',
  async (kind, here, anywhere) => {
    const { system, attempt, door, recorded } = world()
    const ann = { kind, account: 'ann', userId: 'user_ann' }
    for (let count = 0; count < here; count++) expect(await attempt(ann)).toBe('checked')
    expect(await attempt(ann)).toMatchObject({ code: 'login_limited', retryAfterSeconds: 900 })
    expect(door.checking).toBe(0)
    expect(await attempt({ ...ann, account: 'bob' })).toBe('checked')
    expect(recorded.named('login_limited')).toMatchObject([
      { userId: 'user_ann', ip: 'here.ip', limit: kind, retryAfter: 900 },
    ])
    for (let count = here; count < anywhere; count++)
      expect(await attempt(ann, addressOf(`other${count}`))).toBe('checked')
    expect(await attempt(ann, addressOf('another'))).toMatchObject({ retryAfterSeconds: 3_600 })
    // Refused attempts do not count: this address may try as soon as the hour is over.
    system.advance(60 * MINUTE_MS - 1)
    expect(await attempt(ann)).toMatchObject({ retryAfterSeconds: 1 })
    system.advance(1)
    expect(await attempt(ann)).toBe('checked')
  },
)

test('[LIMIT.1] checks again 15 minutes after the first of five wrong passwords', async () => {
  const { system, attempt } = world()
  const ann = { kind: 'password', account: 'ann' } as const
  for (let count = 0; count < 5; count++) await attempt(ann)
  system.advance(15 * MINUTE_MS - 1)
  expect(await attempt(ann)).toMatchObject({ retryAfterSeconds: 1 })
  system.advance(1)
  expect(await attempt(ann)).toBe('checked')
})

test('[LIMIT.1] forgets the wrong passwords of an address after the right one, and does not count that', async () => {
  const { limits, attempt } = world()
  const ann = { kind: 'password', account: 'ann' } as const
  for (let count = 0; count < 5; count++) await attempt(ann)
  limits.passed(ann, HERE)
  for (let count = 0; count < 5; count++) expect(await attempt(ann)).toBe('checked')
  expect(await attempt(ann)).not.toBe('checked')
  // 49 count over all addresses: the right one was given back.
  for (let count = 9; count < 50; count++)
    expect(await attempt(ann, addressOf(`other${count}`))).toBe('checked')
  expect(await attempt(ann, addressOf('another'))).not.toBe('checked')
})

test('[LIMIT.1] counts passwords and codes of one name apart', async () => {
  const { attempt } = world()
  for (const kind of ['password', 'code'] as const)
    for (let count = 0; count < 5; count++) expect(await attempt({ kind, account: 'x' })).toBe('checked')
})

test('[LIMIT.4] does not count an attempt of a blocked address', async () => {
  const { attempt, door } = world()
  const ann = { kind: 'password', account: 'ann' } as const
  door.isOpen = false
  for (let count = 0; count < 9; count++)
    expect(await attempt(ann)).toMatchObject({ code: 'address_blocked' })
  door.isOpen = true
  for (let count = 0; count < 5; count++) expect(await attempt(ann)).toBe('checked')
})

test.each([
  ['user_unknown', true],
  ['password_wrong', true],
  ['code_wrong', true],
  ['passkey_wrong', true],
  ['user_suspended', false],
  ['provider_refused', false],
  ['provider_user_unknown', false],
] as const)('[LIMIT.4] [ADDR.7] records %s, and counts it against the address: %s', (reason, counted) => {
  const { limits, door, recorded } = world()
  limits.failed(reason, HERE, 'user_ann')
  expect(door.failures).toEqual(counted ? ['here'] : [])
  const [failure, ...others] = recorded.named('login_failed')
  expect(others).toEqual([])
  expect(failure).toMatchObject({ event: 'login_failed', userId: 'user_ann', ip: 'here.ip', reason })
  expect(failure).toEqual(
    counted ? expect.objectContaining({ counted: true }) : expect.not.objectContaining({ counted: true }),
  )
})

test('[ADDR.7] counts no wrong password against a proxy', () => {
  const { limits, door, recorded } = world()
  limits.failed('password_wrong', addressOf('proxy', true))
  expect(door.failures).toEqual([])
  expect(recorded.named('login_failed')[0]).not.toHaveProperty('counted')
})

test('[LIMIT.4] records a few of many failures of one kind and address, and counts all', () => {
  const { limits, door, recorded } = world()
  for (let count = 0; count < 100; count++) limits.failed('password_wrong', HERE)
  expect(door.failures).toHaveLength(100)
  const before = recorded.named('login_failed').length
  expect(before).toBeGreaterThan(0)
  expect(before).toBeLessThan(100)
  limits.failed('code_wrong', HERE)
  limits.failed('password_wrong', addressOf('other'))
  expect(recorded.named('login_failed')).toHaveLength(before + 2)
})

test('[LIMIT.5] [LIMIT.6] limits logins per user and address, and new users per address except a proxy', () => {
  const { limits, recorded } = world()
  for (let count = 0; count < 100; count++) {
    expect(limits.login('user_ann', HERE).allowed).toBe(true)
    expect(limits.newUser(HERE).allowed).toBe(true)
  }
  expect(limits.login('user_ann', HERE)).toMatchObject({ code: 'login_limited', retryAfterSeconds: 900 })
  expect(limits.newUser(HERE)).toMatchObject({ code: 'login_limited', retryAfterSeconds: 3_600 })
  expect(limits.login('user_bob', HERE).allowed).toBe(true)
  expect(limits.login('user_ann', addressOf('other')).allowed).toBe(true)
  expect(limits.newUser(addressOf('other')).allowed).toBe(true)
  expect(limits.newUser({ ...HERE, isProxy: true }).allowed).toBe(true)
  expect(recorded.named('login_limited')).toMatchObject([
    { userId: 'user_ann', ip: 'here.ip', limit: 'login', retryAfter: 900 },
  ])
})
