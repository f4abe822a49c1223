import { expect, test } from 'vitest'
import type { ClientAddress } from '../../src/gates/request-facts.ts'
import { AddressFailures, type FailureLimit } from '../../src/limiters/address-failures.ts'
import { Blocklist } from '../../src/limiters/blocklist.ts'

const address = (ip: string, isProxy = false): ClientAddress => ({ ip, key: ip, isProxy })
const GUESSER = address('203.0.113.9')

function setUp(limit?: FailureLimit) {
  const blocks = new Blocklist()
  const failures = new AddressFailures(blocks, limit)
  const fail = (times: number, nowMs: number, from = GUESSER) =>
    Array.from({ length: times }, () => failures.failed(from, nowMs))
  return { blocks, failures, fail }
}

test('[ADDR.1] blocks the address for exactly an hour at its tenth failure within a minute', () => {
  const { blocks, failures, fail } = setUp()
  expect(fail(9, 0)).toEqual(Array(9).fill(undefined))
  expect(failures.check(GUESSER, 0)).toEqual({ allowed: true, value: undefined })
  expect(fail(1, 59_999)).toEqual([3_600_000])
  expect(failures.check(GUESSER, 59_999)).toEqual({
    allowed: false,
    code: 'address_blocked',
    retryAfterSeconds: 3_600,
  })
  expect(failures.check(GUESSER, 3_659_998)).toMatchObject({ allowed: false, retryAfterSeconds: 1 })
  expect(failures.check(GUESSER, 3_659_999)).toMatchObject({ allowed: true })
  expect(blocks.list(0)).toEqual([{ kind: 'address', key: '203.0.113.9', untilMs: 3_659_999 }])
})

test('[ADDR.1] does not block for failures further apart, or another address', () => {
  const { failures, fail } = setUp()
  for (let minute = 0; minute < 50; minute++) fail(9, minute * 60_000)
  expect(failures.check(GUESSER, 3_000_000)).toMatchObject({ allowed: true })
  fail(10, 4_000_000)
  expect(failures.check(GUESSER, 4_000_000)).toMatchObject({ allowed: false })
  expect(failures.check(address('203.0.113.10'), 4_000_000)).toMatchObject({ allowed: true })
})

test('[ADDR.1] requires as many failures again after a block', () => {
  const { fail } = setUp({ failures: 2, windowMs: 1_000, blockMs: 10 })
  expect(fail(4, 0)).toEqual([undefined, 10, undefined, 10])
})

test('[ADDR.1] blocks at the first failure with a limit of one', () => {
  expect(setUp({ failures: 1, windowMs: 1_000, blockMs: 10 }).fail(1, 0)).toEqual([10])
})

test('[ADDR.2] never blocks a trusted proxy, however much fails behind it', () => {
  const { blocks, failures, fail } = setUp()
  const proxy = address('10.0.0.1', true)
  expect(new Set(fail(100, 0, proxy))).toEqual(new Set([undefined]))
  expect(blocks.list(0)).toEqual([])
  blocks.add({ kind: 'address', key: '10.0.0.1', untilMs: 1_000 })
  expect(failures.check(proxy, 0)).toMatchObject({ allowed: true })
})

test('[ADDR.8] returns how many failures are left before the block, at least one', () => {
  const { failures, fail } = setUp({ failures: 3, windowMs: 1_000, blockMs: 10 })
  expect(failures.left(GUESSER, 0)).toBe(3)
  fail(2, 0)
  expect(failures.left(GUESSER, 999)).toBe(1)
  expect(failures.left(GUESSER, 1_000)).toBe(3)
  fail(3, 0)
  expect(failures.left(address('203.0.113.10'), 0)).toBe(3)
  expect(setUp({ failures: 1, windowMs: 1_000, blockMs: 10 }).failures.left(GUESSER, 0)).toBe(1)
})
