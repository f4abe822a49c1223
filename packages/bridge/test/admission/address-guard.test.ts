import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { AddressGuard, type FailureLimit } from '../../src/admission/address-guard.ts'
import { DurableBlocks } from '../../src/admission/durable-blocks.ts'
import type { ClientAddress } from '../../src/gates/request-facts.ts'
import { callbackLog } from '../../src/memory.ts'
import type { SecurityEvent } from '../../src/security-log/events.ts'

const address = (ip: string, isProxy = false): ClientAddress => ({ ip, key: ip, isProxy })
const ANN = address('203.0.113.9')
const BOB = address('203.0.113.10')
const PROXY = address('10.0.0.1', true)
const THREE = { failures: 3, windowMs: 1_000, blockMs: 10_000 }

function setUp(limit?: FailureLimit) {
  const system = new FakeSystem()
  const events: SecurityEvent[] = []
  const blocks = new DurableBlocks(undefined, system, () => {})
  const log = callbackLog((event) => events.push(event))
  const guard = new AddressGuard(blocks, log, system, limit)
  const fail = (times: number, from = ANN) => {
    for (let time = 0; time < times; time++) guard.failed(from)
  }
  return { guard, blocks: blocks.list, events, system, fail }
}

test('[ADDR.1] blocks the address for exactly an hour at its tenth failure within a minute', () => {
  const { guard, blocks, events, system, fail } = setUp()
  fail(9)
  expect(guard.check(ANN)).toEqual({ allowed: true, value: undefined })
  system.advance(59_999)
  fail(1)
  expect(guard.check(ANN)).toEqual({ allowed: false, code: 'address_blocked', retryAfterSeconds: 3_600 })
  expect(events).toEqual([{ event: 'address_blocked', ip: '203.0.113.9', retryAfter: 3_600 }])
  expect(blocks.list(0)).toEqual([{ kind: 'address', key: '203.0.113.9', untilMs: 3_659_999 }])
  system.advance(3_599_999)
  expect(guard.check(ANN)).toMatchObject({ allowed: false, retryAfterSeconds: 1 })
  system.advance(1)
  expect(guard.check(ANN)).toMatchObject({ allowed: true })
})

test('[ADDR.1] does not block for failures further apart, or another address', () => {
  const { guard, system, fail } = setUp()
  for (let minute = 0; minute < 50; minute++) {
    fail(9)
    system.advance(60_000)
  }
  expect(guard.check(ANN)).toMatchObject({ allowed: true })
  fail(10)
  expect(guard.check(ANN)).toMatchObject({ allowed: false })
  expect(guard.check(BOB)).toMatchObject({ allowed: true })
})

test('[ADDR.1] requires as many failures again after a block', () => {
  const { events, fail } = setUp({ failures: 2, windowMs: 1_000, blockMs: 10 })
  const blocksAfter = [1, 2, 3, 4].map(() => {
    fail(1)
    return events.length
  })
  expect(blocksAfter).toEqual([0, 1, 1, 2])
})

test('[ADDR.1] blocks at the first failure with a limit of one', () => {
  const { events, fail } = setUp({ failures: 1, windowMs: 1_000, blockMs: 10 })
  fail(1)
  expect(events).toEqual([{ event: 'address_blocked', ip: '203.0.113.9', retryAfter: 1 }])
})

test('[ADDR.2] never blocks a trusted proxy, however much fails behind it', () => {
  const { guard, blocks, events, fail } = setUp()
  fail(100, PROXY)
  expect([blocks.list(0), events]).toEqual([[], []])
  blocks.add({ kind: 'address', key: '10.0.0.1', untilMs: 1_000 })
  expect(guard.check(PROXY)).toMatchObject({ allowed: true })
})

type Begun = Awaited<ReturnType<AddressGuard['beginCheck']>>

function endOf(begun: Begun): () => void {
  if (!begun.allowed) throw new Error(`It was refused: ${begun.code}.`)
  return begun.value
}

/** Checks that have begun so far, in order. */
function watch(checks: readonly Promise<Begun>[]): number[] {
  const order: number[] = []
  checks.forEach((check, index) => void check.then(() => order.push(index)))
  return order
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

/** Begins checks without ending them. @returns the number that need not wait */
async function begunOf(guard: AddressGuard, count: number, from = ANN): Promise<number> {
  const order = watch(Array.from({ length: count }, () => guard.beginCheck(from)))
  await settled()
  return order.length
}

test('[ADDR.8] runs as many checks of an address at once as failures block it, and the others in order', async () => {
  const { guard } = setUp(THREE)
  const checks = Array.from({ length: 5 }, () => guard.beginCheck(ANN))
  const order = watch(checks)
  await settled()
  expect(order).toEqual([0, 1, 2])
  expect(await guard.beginCheck(BOB)).toMatchObject({ allowed: true })
  endOf(await (checks[1] as Promise<Begun>))()
  await settled()
  expect(order).toEqual([0, 1, 2, 3])
  endOf(await (checks[0] as Promise<Begun>))()
  await settled()
  expect(order).toEqual([0, 1, 2, 3, 4])
})

test('[ADDR.8] allows as many checks at once as failures are left before the block, at least one', async () => {
  const afterTwo = setUp(THREE)
  afterTwo.fail(2)
  expect(await begunOf(afterTwo.guard, 5)).toBe(1)
  expect(await begunOf(afterTwo.guard, 5, BOB)).toBe(3)
  const later = setUp(THREE)
  later.fail(2)
  later.system.advance(1_000)
  expect(await begunOf(later.guard, 5)).toBe(3)
  expect(await begunOf(setUp({ ...THREE, failures: 1 }).guard, 5)).toBe(1)
})

test('[ADDR.8] keeps the place of a failed check occupied, and refuses everyone waiting once blocked', async () => {
  const { guard, fail } = setUp(THREE)
  const checks = Array.from({ length: 6 }, () => guard.beginCheck(ANN))
  const order = watch(checks)
  for (const index of [0, 1]) {
    const end = endOf(await (checks[index] as Promise<Begun>))
    fail(1)
    end()
  }
  await settled()
  expect(order).toEqual([0, 1, 2])
  const end = endOf(await (checks[2] as Promise<Begun>))
  fail(1)
  end()
  for (const check of checks.slice(3)) expect(await check).toMatchObject({ code: 'address_blocked' })
  expect(await guard.beginCheck(ANN)).toMatchObject({ code: 'address_blocked' })
})

test('[ADDR.8] refuses more than 512 waiting checks, and never delays a trusted proxy', async () => {
  const { guard } = setUp(THREE)
  const checks = Array.from({ length: 515 }, () => guard.beginCheck(ANN))
  expect(await guard.beginCheck(ANN)).toMatchObject({ code: 'handshake_rate_exceeded', retryAfterSeconds: 1 })
  for (const check of checks) endOf(await check)()
  expect(await guard.beginCheck(ANN)).toMatchObject({ allowed: true })
  for (let times = 0; times < 20; times++) endOf(await guard.beginCheck({ ...ANN, isProxy: true }))()
})

test('[BLOCK.5] keeps a block that no store can lift', async () => {
  const { guard, fail } = setUp(THREE)
  await guard.recheck(ANN)
  fail(3)
  await guard.recheck(ANN)
  expect(guard.check(ANN)).toMatchObject({ allowed: false })
})
