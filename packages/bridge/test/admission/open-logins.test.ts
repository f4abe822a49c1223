import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type OpenItem, type OpenLogin, OpenLogins } from '../../src/admission/open-logins.ts'

const MAX_REMEMBERED = 10_000
const SPARE_LOGINS = 1_024

const principal = (userId: string, sessionId: string, deviceId?: string) => ({
  ...{ userId, sessionId, expiresAtMs: 0 },
  ...(deviceId !== undefined && { deviceId }),
})

function entered(logins: OpenLogins, ...ids: [string, string, string?]): OpenLogin {
  const login = logins.enter(principal(...ids), logins.now)
  if (login === undefined) throw new Error('It was refused.')
  return login
}

/** A use with a number to identify it. */
const use = (n: number): OpenItem & { readonly n: number } => ({ n, revoked: () => {} })
const numbers = (uses: readonly OpenItem[]) =>
  uses.map((one) => (one as ReturnType<typeof use>).n).sort((a, b) => a - b)

test('[REVOKE.4] ends exactly the open uses, opened and closed in any order', () => {
  const step = fc.record({ n: fc.nat(5), opens: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const logins = new OpenLogins()
      const login = entered(logins, 'ann', 's')
      const all = Array.from({ length: 6 }, (_, n) => use(n))
      const open = new Set<number>()
      for (const { n, opens } of steps) {
        if (opens === open.has(n)) continue
        if (opens) expect(login.open(all[n] as OpenItem)).toBe(true)
        else login.close(all[n] as OpenItem)
        if (opens) open.add(n)
        else open.delete(n)
        expect(login.isIdle).toBe(open.size === 0)
      }
      expect(numbers(logins.revoke({ kind: 'session', id: 's' }))).toEqual([...open].sort((a, b) => a - b))
      expect(login.isIdle).toBe(true)
    }),
    { numRuns: 200 },
  )
})

test('[REVOKE.4] ignores closing a use that was never opened or already closed', () => {
  const logins = new OpenLogins()
  const login = entered(logins, 'ann', 's')
  const [one, two, three] = [use(1), use(2), use(3)]
  login.close(one)
  login.open(one)
  login.close(two)
  login.open(two)
  login.close(three)
  login.close(two)
  login.close(two)
  expect(numbers(logins.revoke({ kind: 'user', id: 'ann' }))).toEqual([1])
  login.close(one)
})

test('[REVOKE.4] distinguishes logins of one session id by user and device', () => {
  const logins = new OpenLogins()
  const all = [
    entered(logins, 'ann', 's', 'd1'),
    entered(logins, 'ann', 's', 'd2'),
    entered(logins, 'bob', 's', 'd1'),
    entered(logins, 'ann', 's'),
  ]
  expect([new Set(all).size, logins.count]).toEqual([4, 4])
  expect([
    entered(logins, 'ann', 's', 'd1'),
    entered(logins, 'ann', 's', 'd2'),
    entered(logins, 'bob', 's', 'd1'),
    entered(logins, 'ann', 's'),
  ]).toEqual(all)
  expect(all.map(({ userId, sessionId, deviceId }) => [userId, sessionId, deviceId])).toEqual([
    ['ann', 's', 'd1'],
    ['ann', 's', 'd2'],
    ['bob', 's', 'd1'],
    ['ann', 's', undefined],
  ])
  expect(logins.count).toBe(4)
  for (const [n, login] of all.entries()) login.open(use(n))
  expect(numbers(logins.revoke({ kind: 'device', id: 'd1' }))).toEqual([0, 2])
  expect(logins.count).toBe(2)
  expect(numbers(logins.revoke({ kind: 'user', id: 'ann' }))).toEqual([1, 3])
  expect(logins.count).toBe(0)
})

test('[REVOKE.5] refuses a revoked session or device for good, and admits a revoked user again', () => {
  const logins = new OpenLogins()
  for (let time = 0; time < 2; time++) {
    logins.revoke({ kind: 'session', id: 's' })
    logins.revoke({ kind: 'device', id: 'd' })
    logins.revoke({ kind: 'user', id: 'ann' })
    const mayEnter = (...ids: [string, string, string?]) =>
      logins.enter(principal(...ids), logins.now) !== undefined
    expect(mayEnter('ann', 's')).toBe(false)
    expect(mayEnter('ann', 't', 'd')).toBe(false)
    expect(mayEnter('ann', 'd', 's')).toBe(true)
    expect(mayEnter('ann', `fresh ${time}`)).toBe(true)
    expect(mayEnter('s', `other ${time}`, 'ann')).toBe(true)
  }
})

test('[REVOKE.5] admits logins without a device after any device was revoked', () => {
  const logins = new OpenLogins()
  for (const id of ['undefined', '']) logins.revoke({ kind: 'device', id })
  expect(logins.enter(principal('ann', 's'), logins.now)).toBeDefined()
})

test('[REVOKE.3] refuses an admission begun before a revocation, and accepts one begun after it', () => {
  const logins = new OpenLogins()
  for (let time = 0; time < 2; time++) {
    const before = logins.now
    logins.revoke({ kind: 'user', id: 'ann' })
    expect(logins.isRevoked(principal('ann', 'x'), before)).toBe(true)
    expect(logins.isRevoked(principal('ann', 'x'), logins.now)).toBe(false)
    expect(logins.isRevoked(principal('bob', 'x'), before)).toBe(false)
  }
})

test('[REVOKE.3] keeps 10,000 revocations, and refuses admissions begun before the oldest beyond that', () => {
  const logins = new OpenLogins()
  logins.revoke({ kind: 'session', id: 'oldest' })
  const since = logins.now
  for (let n = 1; n < MAX_REMEMBERED; n++) logins.revoke({ kind: 'session', id: `s${n}` })
  expect(logins.isRevoked(principal('ann', 'oldest'), logins.now)).toBe(true)
  expect(logins.isRevoked(principal('ann', 'x'), since - 1)).toBe(false)
  // A remembered login is remembered longer, and takes no additional place.
  logins.revoke({ kind: 'session', id: 's1' })
  expect(logins.isRevoked(principal('ann', 'x'), since - 1)).toBe(false)
  logins.revoke({ kind: 'session', id: 'one more' })
  expect(logins.isRevoked(principal('ann', 'x'), since - 1)).toBe(true)
  expect(logins.isRevoked(principal('ann', 'x'), since)).toBe(false)
  expect(logins.isRevoked(principal('ann', 'oldest'), logins.now)).toBe(false)
  logins.revoke({ kind: 'session', id: 'and one more' })
  expect(logins.isRevoked(principal('ann', 's1'), logins.now)).toBe(true)
  expect(logins.isRevoked(principal('ann', 's2'), logins.now)).toBe(false)
})

test('[REVOKE.9] keeps a bounded number of idle logins, and all with something open', () => {
  const logins = new OpenLogins()
  const busy = entered(logins, 'ann', 'busy', 'd')
  busy.open(use(1))
  const many = entered(logins, 'ann', 'many')
  for (const n of [2, 3]) many.open(use(n))
  const closed = use(4)
  const idle = entered(logins, 'ann', 'idle', 'd')
  idle.open(closed)
  idle.close(closed)
  for (let n = logins.count; n < SPARE_LOGINS; n++) entered(logins, `u${n}`, `s${n}`)
  expect(logins.count).toBe(SPARE_LOGINS)
  entered(logins, 'one', 'more')
  expect(logins.count).toBe(3)
  // Its index entry was evicted too, so nothing of it is ended.
  expect(numbers(logins.revoke({ kind: 'device', id: 'd' }))).toEqual([1])
  expect(logins.count).toBe(2)
  expect(idle.isRevoked).toBe(true)
  expect(numbers(logins.revoke({ kind: 'user', id: 'ann' }))).toEqual([2, 3])
  // The next sweep runs at twice the number kept, plus the spare logins.
  const next = 2 * 2 + SPARE_LOGINS
  for (let n = logins.count; n < next; n++) entered(logins, `v${n}`, `t${n}`)
  expect(logins.count).toBe(next)
  entered(logins, 'and', 'one more')
  expect(logins.count).toBe(1)
})

test('[REVOKE.9] restores an evicted login on request, without a duplicate', () => {
  const logins = new OpenLogins()
  const who = principal('ann', 'idle', 'd')
  const idle = logins.enter(who, logins.now)
  if (idle === undefined) throw new Error('It was refused.')
  for (let n = 0; n < SPARE_LOGINS; n++) entered(logins, `u${n}`, `s${n}`)
  const before = logins.count
  for (let time = 0; time < 3; time++) {
    expect(idle.isRevoked).toBe(false)
    expect(logins.recalled(who)).toBe(idle)
  }
  expect(logins.count).toBe(before + 1)
  idle.open(use(1))
  expect(numbers(logins.revoke({ kind: 'device', id: 'd' }))).toEqual([1])
  expect(logins.recalled(who)).toBeUndefined()
  expect([idle.isRevoked, idle.open(use(2))]).toEqual([true, false])
})

test('[REVOKE.1] adds an unknown principal when it is recalled, unless it was revoked for good', () => {
  const logins = new OpenLogins()
  const who = principal('ann', 's')
  expect(logins.recalled(who)).toBe(logins.recalled(who))
  expect(logins.count).toBe(1)
  logins.revoke({ kind: 'session', id: 't' })
  expect(logins.recalled(principal('ann', 't'))).toBeUndefined()
})
