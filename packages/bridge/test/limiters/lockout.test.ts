import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Blocklist } from '../../src/limiters/blocklist.ts'
import { ChallengeLockout } from '../../src/limiters/lockout.ts'

const HOUR_MS = 3_600_000

function setUp() {
  const blocks = new Blocklist()
  const lockout = new ChallengeLockout(blocks)
  const fail = (times: number, nowMs: number, user = 'ann', address = '10.0.0.1') =>
    Array.from({ length: times }, () => lockout.failed(user, address, nowMs)).at(-1)?.lockMs
  const isLocked = (nowMs: number, user = 'ann', address = '10.0.0.1') =>
    !lockout.check(user, address, nowMs).allowed
  return { blocks, lockout, fail, isLocked }
}

test('[CHAL.6] locks for exactly a minute at the third wrong answer, and returns the time left', () => {
  const { blocks, lockout, fail, isLocked } = setUp()
  expect(fail(2, 1_000)).toBeUndefined()
  expect(isLocked(1_000)).toBe(false)
  expect(lockout.failed('ann', '10.0.0.1', 2_000)).toEqual({ key: 'ann 10.0.0.1', lockMs: 60_000 })
  expect(lockout.check('ann', '10.0.0.1', 2_500)).toEqual({
    allowed: false,
    code: 'challenge_locked',
    retryAfterSeconds: 60,
  })
  expect([61_999, 62_000].map((nowMs) => isLocked(nowMs))).toEqual([true, false])
  expect(blocks.list(2_000)).toEqual([{ kind: 'challenge', key: 'ann 10.0.0.1', untilMs: 62_000 }])
})

test('[CHAL.6] doubles each further lock, up to an hour', () => {
  const { fail } = setUp()
  const locks: (number | undefined)[] = []
  let nowMs = 0
  for (let lock = 0; lock < 12; lock++) {
    locks.push(fail(3, nowMs))
    nowMs += HOUR_MS
  }
  expect(locks.slice(0, 7)).toEqual([60_000, 120_000, 240_000, 480_000, 960_000, 1_920_000, HOUR_MS])
  expect(new Set(locks.slice(6))).toEqual(new Set([HOUR_MS]))
})

test('[CHAL.6] counts wrong answers for 15 minutes, and remembers a lock for a day', () => {
  const { fail } = setUp()
  expect(fail(2, 0)).toBeUndefined()
  expect(fail(2, 900_000)).toBeUndefined()
  expect(fail(1, 1_799_999)).toBe(60_000)
  expect(fail(3, 1_799_999 + 24 * HOUR_MS - 1)).toBe(120_000)
  expect(fail(3, 1_799_999 + 2 * 24 * HOUR_MS)).toBe(60_000)
})

test('[CHAL.6] allows three attempts again after a lock', () => {
  const { fail } = setUp()
  fail(3, 0)
  expect(fail(2, 60_000)).toBeUndefined()
  expect(fail(1, 60_000)).toBe(120_000)
})

test('[CHAL.7] locks neither the same user elsewhere nor others at that address', () => {
  const { fail, isLocked } = setUp()
  fail(3, 0)
  expect(isLocked(0)).toBe(true)
  expect(isLocked(0, 'ann', '10.0.0.2')).toBe(false)
  expect(isLocked(0, 'bob')).toBe(false)
  expect(fail(2, 0, 'bob')).toBeUndefined()
  expect(fail(2, 0, 'ann', '10.0.0.2')).toBeUndefined()
})

test('[CHAL.7] forgets wrong answers of that user there at a right one, but no lock', () => {
  const { lockout, fail, isLocked } = setUp()
  fail(2, 0)
  fail(2, 0, 'bob')
  lockout.passed('ann', '10.0.0.1')
  expect(fail(2, 1)).toBeUndefined()
  expect(fail(1, 1)).toBe(60_000)
  lockout.passed('ann', '10.0.0.1')
  expect(isLocked(2)).toBe(true)
  expect(fail(1, 1, 'bob')).toBe(60_000)
  expect(fail(3, 100_000)).toBe(120_000)
})

test('[CHAL.7] keeps a lock in the blocklist when its limiter is gone', () => {
  const { blocks, fail } = setUp()
  fail(3, 0)
  expect(new ChallengeLockout(blocks).check('ann', '10.0.0.1', 59_999)).toMatchObject({ allowed: false })
})

test('[CHAL.6] locks at every third consecutive wrong answer within 15 minutes, in any order of answers', () => {
  const answer = fc.record({ right: fc.boolean(), gapMs: fc.nat({ max: 400_000 }) })
  fc.assert(
    fc.property(fc.array(answer, { maxLength: 60, size: 'max' }), (answers) => {
      const { lockout, fail } = setUp()
      let wrongMs: number[] = []
      let nowMs = 0
      for (const { right, gapMs } of answers) {
        nowMs += gapMs
        if (right) {
          lockout.passed('ann', '10.0.0.1')
          wrongMs = []
          continue
        }
        wrongMs = [...wrongMs.filter((atMs) => nowMs - atMs < 900_000), nowMs]
        expect(fail(1, nowMs) !== undefined).toBe(wrongMs.length === 3)
        if (wrongMs.length === 3) wrongMs = []
      }
    }),
  )
})
