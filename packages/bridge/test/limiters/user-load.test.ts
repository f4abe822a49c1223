import { expect, test } from 'vitest'
import { LARGE_ALLOWANCE, MESSAGE_ALLOWANCE } from '../../src/limiters/allowance.ts'
import {
  MAX_ALL_LARGE_BYTES,
  MAX_HELD_BYTES,
  MAX_LARGE_BYTES,
  MAX_OPEN_REQUESTS,
  MAX_STANDING,
  MAX_UNREAD_BYTES,
  UserLoad,
  UserLoads,
} from '../../src/limiters/user-load.ts'

const TOO_MUCH = { allowed: false, code: 'too_many_requests', retryAfterSeconds: 1 }

test('[LOAD.1] refuses the 257th open request until one ends', () => {
  const load = new UserLoad()
  for (let count = 0; count < MAX_OPEN_REQUESTS; count++) expect(load.enter(0).allowed).toBe(true)
  expect([load.enter(0), load.enter(0)]).toEqual([TOO_MUCH, TOO_MUCH])
  load.leave(0)
  expect([load.enter(0).allowed, load.enter(0).allowed]).toEqual([true, false])
})

test('[LOAD.2] holds bytes up to the bound, and refuses requests at it', () => {
  const load = new UserLoad()
  load.enter(0)
  expect(load.hold(MAX_HELD_BYTES - 1, MAX_HELD_BYTES).allowed).toBe(true)
  expect(load.hold(2, MAX_HELD_BYTES)).toEqual(TOO_MUCH)
  expect(load.enter(0).allowed).toBe(true)
  expect(load.hold(1, MAX_HELD_BYTES).allowed).toBe(true)
  expect(load.enter(0)).toEqual(TOO_MUCH)
  expect(load.hold(MAX_UNREAD_BYTES - MAX_HELD_BYTES, MAX_UNREAD_BYTES).allowed).toBe(true)
  expect(load.hold(1, MAX_UNREAD_BYTES)).toEqual(TOO_MUCH)
  load.leave(MAX_UNREAD_BYTES)
  expect(load.enter(0).allowed).toBe(true)
})

test('[LOAD.2] releases bytes at any load', () => {
  const load = new UserLoad()
  load.enter(0)
  expect(load.hold(MAX_UNREAD_BYTES, MAX_UNREAD_BYTES).allowed).toBe(true)
  expect(load.hold(-1, MAX_HELD_BYTES).allowed).toBe(true)
  expect([1, 1].map((size) => load.hold(size, MAX_UNREAD_BYTES).allowed)).toEqual([true, false])
})

test('[STREAM.7] counts requests that stay open, beside the others', () => {
  const load = new UserLoad()
  for (let count = 0; count < MAX_STANDING; count++) {
    load.enter(0)
    expect(load.stand().allowed).toBe(true)
  }
  expect(load.stand()).toEqual(TOO_MUCH)
  expect(load.enter(0).allowed).toBe(true)
  load.leave(0)
  expect(load.stand().allowed).toBe(false)
  load.leave(0, 1)
  expect([load.stand().allowed, load.stand().allowed]).toEqual([true, false])
})

test('[BIG.11] limits the large bodies of one user, and of all', () => {
  const loads = new UserLoads()
  const hold = (userId: string, bytes: number) => loads.of(userId, 0).holdLarge(bytes, 0)
  expect(hold('u0', MAX_LARGE_BYTES).allowed).toBe(true)
  expect(hold('u0', 1)).toEqual(TOO_MUCH)
  const users = MAX_ALL_LARGE_BYTES / MAX_LARGE_BYTES
  for (let n = 1; n < users; n++) expect(hold(`u${n}`, MAX_LARGE_BYTES).allowed).toBe(true)
  expect(hold('other', 1)).toEqual(TOO_MUCH)
  loads.of('u0', 0).freeLarge(MAX_LARGE_BYTES)
  expect([hold('other', 1).allowed, hold('u0', MAX_LARGE_BYTES - 1).allowed]).toEqual([true, true])
})

test('[BIG.11] limits the large bodies of one user in time', () => {
  const load = new UserLoad()
  const bodies = (LARGE_ALLOWANCE.units * LARGE_ALLOWANCE.bytesPerUnit) / MAX_LARGE_BYTES
  for (let n = 0; n < bodies; n++) {
    expect(load.holdLarge(MAX_LARGE_BYTES, 0).allowed).toBe(true)
    load.freeLarge(MAX_LARGE_BYTES)
  }
  expect(load.holdLarge(MAX_LARGE_BYTES, 0)).toMatchObject({ code: 'rate_limit_exceeded' })
  expect(load.holdLarge(MAX_LARGE_BYTES, 15_000).allowed).toBe(true)
})

test('[LOAD.4] starts no request without its allowance of messages', () => {
  const load = new UserLoad()
  expect(load.spend(0, MESSAGE_ALLOWANCE.units, 0).allowed).toBe(true)
  const refused = { allowed: false, code: 'rate_limit_exceeded', retryAfterSeconds: 1 }
  expect([load.enter(0), load.spend(0, 1, 0)]).toEqual([refused, refused])
  expect(load.enter(100).allowed).toBe(true)
})

test('[LOAD.4] spends as many units as a body has messages, and more for its size', () => {
  const load = new UserLoad()
  const { units, bytesPerUnit } = MESSAGE_ALLOWANCE
  expect(load.spend(2 * bytesPerUnit, units - 2, 0).allowed).toBe(true)
  expect([load.spend(0, 1, 0).allowed, load.spend(0, 1, 0).allowed]).toEqual([true, false])
})

test('[LOAD.4] charges a refused body, also without an allowance', () => {
  const load = new UserLoad()
  load.charge(MESSAGE_ALLOWANCE.units * MESSAGE_ALLOWANCE.bytesPerUnit, 0)
  load.charge(MESSAGE_ALLOWANCE.bytesPerUnit, 0)
  expect([load.enter(199).allowed, load.enter(200).allowed]).toEqual([false, true])
})

test('[LOAD.1] counts users separately, and forgets only those with nothing open', () => {
  const loads = new UserLoads()
  const ann = loads.of('ann', 0)
  ann.enter(0)
  const spent = loads.of('bob', 0)
  spent.spend(0, 1, 0)
  expect(loads.of('ann', 0)).toBe(ann)
  for (let count = 0; count < 5_000; count++) loads.of(`user ${count}`, 50)
  expect(loads.size).toBeLessThan(2_100)
  expect([loads.of('ann', 50) === ann, loads.of('bob', 50) === spent]).toEqual([true, true])
  for (let count = 5_000; count < 10_000; count++) loads.of(`user ${count}`, 100)
  expect([loads.of('ann', 100) === ann, loads.of('bob', 100) === spent]).toEqual([true, false])
})
