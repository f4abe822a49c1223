import { expect, test } from 'vitest'
import type { OpenLogin } from '../src/admission/open-logins.ts'
import { type OpenItem, OpenLogins } from '../src/admission/open-logins.ts'

function principal(userId: string, sessionId: string, deviceId?: string) {
  return { userId, sessionId, expiresAtMs: 0, ...(deviceId !== undefined && { deviceId }) }
}

function use(): OpenItem & { ended: number } {
  const made = {
    ended: 0,
    revoked: () => {
      made.ended++
    },
  }
  return made
}

function entered(logins: OpenLogins, ...ids: [string, string, string?]): OpenLogin {
  const login = logins.enter(principal(...ids), logins.now)
  if (login === undefined) throw new Error('refused')
  return login
}

test('[REVOKE.4] does not end a use again that already ended, in any order', () => {
  const logins = new OpenLogins()
  const login = entered(logins, 'ann', 's1')
  const uses = Array.from({ length: 5 }, use)
  for (const one of uses) expect(login.open(one)).toBe(true)
  for (const at of [1, 4, 0, 1]) login.close(uses[at] as OpenItem)
  expect(new Set(logins.revoke({ kind: 'user', id: 'ann' }))).toEqual(new Set([uses[2], uses[3]]))
  expect(logins.revoke({ kind: 'user', id: 'ann' })).toEqual([])
  expect(login.open(use())).toBe(false)
})

test('[REVOKE.1] finds a login by its user, session and device, and each part once', () => {
  for (const revocation of [
    { kind: 'user', id: 'ann' },
    { kind: 'session', id: 's1' },
    { kind: 'device', id: 'd1' },
  ] as const) {
    const logins = new OpenLogins()
    const mine = use()
    entered(logins, 'ann', 's1', 'd1').open(mine)
    const other = use()
    entered(logins, 'bob', 's2', 'd2').open(other)
    expect(logins.revoke(revocation)).toEqual([mine])
    expect(logins.revoke({ kind: 'user', id: 'bob' })).toEqual([other])
  }
})

test('[REVOKE.4] does not revoke by an id of another kind', () => {
  const logins = new OpenLogins()
  entered(logins, 'x', 'y', 'z').open(use())
  expect(logins.revoke({ kind: 'user', id: 'y' })).toEqual([])
  expect(logins.revoke({ kind: 'session', id: 'z' })).toEqual([])
  expect(logins.revoke({ kind: 'device', id: 'x' })).toEqual([])
})

test('[REVOKE.9] forgets logins with nothing open, and finds them again when they open something', () => {
  const logins = new OpenLogins()
  const early = principal('ann', 'early')
  const idle = entered(logins, 'ann', 'idle')
  logins.enter(early, logins.now)
  const busy = use()
  entered(logins, 'ann', 'busy').open(busy)
  for (let n = 0; n < 5_000; n++) entered(logins, `user${n}`, `session${n}`)
  expect(logins.count).toBeLessThan(5_000)
  // A forgotten login can open connections, and later revocations end them.
  const late = use()
  expect(idle.open(late)).toBe(true)
  expect(logins.revoke({ kind: 'session', id: 'idle' })).toEqual([late])
  expect(logins.revoke({ kind: 'session', id: 'busy' })).toEqual([busy])
  // A login that was revoked while forgotten opens nothing.
  expect(logins.recalled(early)).toBeDefined()
  for (let n = 0; n < 20_000; n++) entered(logins, `more${n}`, `more${n}`)
  logins.revoke({ kind: 'user', id: 'ann' })
  expect(logins.recalled(early)).toBeUndefined()
})

test('[REVOKE.3] refuses a principal revoked since its admission began, even if that is forgotten', () => {
  const logins = new OpenLogins()
  const since = logins.now
  logins.revoke({ kind: 'user', id: 'ann' })
  expect(logins.enter(principal('ann', 's1'), since)).toBeUndefined()
  expect(logins.enter(principal('ann', 's1'), logins.now)).toBeDefined()
  expect(logins.enter(principal('bob', 's2'), since)).toBeDefined()
  for (let n = 0; n < 10_001; n++) logins.revoke({ kind: 'session', id: `other${n}` })
  expect(logins.enter(principal('bob', 's2'), since)).toBeUndefined()
  expect(logins.enter(principal('bob', 's2'), logins.now)).toBeDefined()
})

test('[REVOKE.9] takes time for what a revocation ends, not for what is open', () => {
  const logins = new OpenLogins()
  for (let n = 0; n < 50_000; n++) entered(logins, `user${n}`, `session${n}`, `device${n}`).open(use())
  const before = process.cpuUsage()
  for (let n = 0; n < 10_000; n++) logins.revoke({ kind: 'device', id: `device${n}` })
  // Processor time, which other processes do not add to. Visiting all of them each time would take minutes.
  expect(process.cpuUsage(before).user / 1_000).toBeLessThan(2_000)
})
