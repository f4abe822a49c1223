import { expect, test } from 'vitest'
import { AddressChecks } from '../../src/admission/address-checks.ts'
import { AddressFailures } from '../../src/limiters/address-failures.ts'
import { Blocklist } from '../../src/limiters/blocklist.ts'

const ANN = { ip: '203.0.113.9', key: '203.0.113.9', isProxy: false }
const BOB = { ip: '203.0.113.10', key: '203.0.113.10', isProxy: false }
const LIMIT = { failures: 3, windowMs: 1_000, blockMs: 10_000 }

function setUp() {
  const failures = new AddressFailures(new Blocklist(), LIMIT)
  const checks = new AddressChecks(failures)
  return { failures, begin: (from = ANN) => checks.begin(from, () => 0) }
}

type Begun = Awaited<ReturnType<ReturnType<typeof setUp>['begin']>>

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

test('[ADDR.8] runs as many checks of an address at once as failures block it, and the others in order', async () => {
  const { begin } = setUp()
  const checks = Array.from({ length: 5 }, () => begin())
  const order = watch(checks)
  await settled()
  expect(order).toEqual([0, 1, 2])
  expect(await begin(BOB)).toMatchObject({ allowed: true })
  endOf(await (checks[1] as Promise<Begun>))()
  await settled()
  expect(order).toEqual([0, 1, 2, 3])
  endOf(await (checks[0] as Promise<Begun>))()
  await settled()
  expect(order).toEqual([0, 1, 2, 3, 4])
})

test('[ADDR.8] keeps the place of a failed check occupied, and refuses everyone waiting once blocked', async () => {
  const { failures, begin } = setUp()
  const checks = Array.from({ length: 6 }, () => begin())
  const order = watch(checks)
  for (const index of [0, 1]) {
    const end = endOf(await (checks[index] as Promise<Begun>))
    failures.failed(ANN, 0)
    end()
  }
  await settled()
  expect(order).toEqual([0, 1, 2])
  const end = endOf(await (checks[2] as Promise<Begun>))
  failures.failed(ANN, 0)
  end()
  for (const check of checks.slice(3)) expect(await check).toMatchObject({ code: 'address_blocked' })
  expect(await begin()).toMatchObject({ code: 'address_blocked' })
})

test('[ADDR.8] refuses more than 512 waiting checks, and never delays a trusted proxy', async () => {
  const { begin } = setUp()
  const checks = Array.from({ length: 515 }, () => begin())
  expect(await begin()).toMatchObject({ code: 'handshake_rate_exceeded', retryAfterSeconds: 1 })
  for (const check of checks) endOf(await check)()
  expect(await begin()).toMatchObject({ allowed: true })
  const proxy = { ...ANN, isProxy: true }
  for (let times = 0; times < 20; times++) expect(await begin(proxy)).toMatchObject({ allowed: true })
})
