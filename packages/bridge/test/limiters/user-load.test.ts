import { expect, test } from 'vitest'
import { MESSAGE_ALLOWANCE } from '../../src/limiters/allowance.ts'
import {
  MAX_HELD_BYTES,
  MAX_LARGE_BYTES,
  MAX_OPEN_REQUESTS,
  MAX_STANDING,
  MAX_UNREAD_BYTES,
  UserLoad,
  UserLoads,
} from '../../src/limiters/user-load.ts'

test('[LOAD.1] refuses the 257th open request until one ends', () => {
  const load = new UserLoad()
  for (let count = 0; count < MAX_OPEN_REQUESTS; count++) expect(load.enter(0).allowed).toBe(true)
  const refused = { allowed: false, code: 'too_many_requests', retryAfterSeconds: 1 }
  expect([load.enter(0), load.enter(0)]).toEqual([refused, refused])
  load.leave(0)
  expect([load.enter(0).allowed, load.enter(0).allowed]).toEqual([true, false])
})

test('[LOAD.2] holds bytes up to the bound, and refuses requests at it', () => {
  const load = new UserLoad()
  load.enter(0)
  expect(load.hold(MAX_HELD_BYTES - 1, MAX_HELD_BYTES)).toBe(true)
  expect(load.hold(2, MAX_HELD_BYTES)).toBe(false)
  expect(load.enter(0).allowed).toBe(true)
  expect(load.hold(1, MAX_HELD_BYTES)).toBe(true)
  expect(load.enter(0)).toMatchObject({ code: 'too_many_requests' })
  expect(load.hold(MAX_UNREAD_BYTES - MAX_HELD_BYTES, MAX_UNREAD_BYTES)).toBe(true)
  expect(load.hold(1, MAX_UNREAD_BYTES)).toBe(false)
  load.leave(MAX_UNREAD_BYTES)
  expect(load.enter(0).allowed).toBe(true)
})

test('[LOAD.2] releases bytes at any load', () => {
  const load = new UserLoad()
  load.enter(0)
  expect(load.hold(MAX_UNREAD_BYTES, MAX_UNREAD_BYTES)).toBe(true)
  expect(load.hold(-1, MAX_HELD_BYTES)).toBe(true)
  expect([load.hold(1, MAX_UNREAD_BYTES), load.hold(1, MAX_UNREAD_BYTES)]).toEqual([true, false])
})

test('[STREAM.7] counts requests that stay open, beside the others', () => {
  const load = new UserLoad()
  for (let count = 0; count < MAX_STANDING; count++) {
    load.enter(0)
    expect(load.stand()).toBe(true)
  }
  expect([load.stand(), load.enter(0).allowed]).toEqual([false, true])
  load.leave(0)
  expect(load.stand()).toBe(false)
  load.leave(0, true)
  expect([load.stand(), load.stand()]).toEqual([true, false])
})

test('[BIG.11] holds large bodies of a user up to their bound', () => {
  const load = new UserLoad()
  expect(load.holdLarge(MAX_LARGE_BYTES)).toBe(true)
  expect(load.holdLarge(1)).toBe(false)
  load.freeLarge(1)
  expect([load.holdLarge(1), load.holdLarge(1)]).toEqual([true, false])
})

test('[LOAD.4] starts no request without its allowance of messages', () => {
  const load = new UserLoad()
  expect(load.messages.take(MESSAGE_ALLOWANCE.units, 0)).toBe(0)
  expect(load.enter(0)).toEqual({ allowed: false, code: 'rate_limit_exceeded', retryAfterSeconds: 1 })
  expect(load.enter(100).allowed).toBe(true)
})

test('[LOAD.1] counts users separately, and forgets only those with nothing open', () => {
  const loads = new UserLoads()
  const ann = loads.of('ann', 0)
  ann.enter(0)
  const spent = loads.of('bob', 0)
  spent.messages.take(1, 0)
  expect(loads.of('ann', 0)).toBe(ann)
  for (let count = 0; count < 5_000; count++) loads.of(`user ${count}`, 50)
  expect(loads.size).toBeLessThan(2_100)
  expect([loads.of('ann', 50) === ann, loads.of('bob', 50) === spent]).toEqual([true, true])
  for (let count = 5_000; count < 10_000; count++) loads.of(`user ${count}`, 100)
  expect([loads.of('ann', 100) === ann, loads.of('bob', 100) === spent]).toEqual([true, false])
})
