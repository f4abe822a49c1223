import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { PendingCalls } from '../../src/connection/pending-calls.ts'
import { resultOf, shown } from '../support/fake-connection.ts'

const TIMEOUT_MS = 1_000

function setUp() {
  const system = new FakeSystem()
  const timedOut: string[] = []
  const calls = new PendingCalls(system, TIMEOUT_MS, (id) => timedOut.push(id))
  const outcomes: string[] = []
  const add = (name: string) => calls.add((outcome) => outcomes.push(`${name} ${shown(outcome)}`))
  return { system, calls, add, outcomes, timedOut }
}

test('[CALL.1] settles a call once, and ignores late, duplicate and invented outcomes', () => {
  const { calls, add, outcomes } = setUp()
  const [first, second] = [add('first'), add('second')]
  expect(first).toMatch(/^[\w-]{20}00$/)
  expect(calls.size).toBe(2)
  expect([calls.has(first), calls.has('x'.repeat(22)), calls.has('')]).toEqual([true, false, false])
  expect(calls.settle(second, resultOf('2'))).toBe(true)
  expect(calls.settle(second, resultOf('2 again'))).toBe(false)
  expect(calls.settle(`${'A'.repeat(20)}00`, resultOf('invented'))).toBe(false)
  expect(calls.settle('', resultOf('invented'))).toBe(false)
  expect(calls.settle(first, resultOf('1'))).toBe(true)
  expect(outcomes).toEqual(['second 2', 'first 1'])
  expect([calls.size, calls.has(first)]).toEqual([0, false])
})

test('[CALL.1] does not settle a call by the answer to its slot’s former one', () => {
  const { calls, add, outcomes } = setUp()
  const former = add('former')
  calls.settle(former, resultOf('1'))
  const present = add('present')
  expect(present.slice(-2)).toBe(former.slice(-2))
  expect(calls.settle(former, resultOf('late'))).toBe(false)
  expect(calls.settle(present, resultOf('2'))).toBe(true)
  expect(outcomes).toEqual(['former 1', 'present 2'])
})

test('[CALL.5] reuses slots: counts the added and unsettled calls after any number of them', () => {
  const { system, calls, add, outcomes } = setUp()
  for (let round = 0; round < 1_400; round++) {
    const id = add('one')
    expect(id).toHaveLength(22)
    calls.settle(id, resultOf('x'))
  }
  expect(calls.size).toBe(0)
  const ids = Array.from({ length: 1_300 }, (_, n) => add(`call ${n}`))
  expect(calls.size).toBe(1_300)
  expect(new Set(ids).size).toBe(1_300)
  expect(ids.every((id) => calls.has(id))).toBe(true)
  outcomes.length = 0
  for (const [n, id] of ids.entries()) calls.settle(id, resultOf(`result ${n}`))
  expect(outcomes).toEqual(ids.map((_, n) => `call ${n} result ${n}`))
  expect(calls.size).toBe(0)
  expect(system.armed).toBe(1)
})

test('[CALL.2] ends each call at its own deadline, and notifies the agent', () => {
  const { system, calls, add, outcomes, timedOut } = setUp()
  const first = add('first')
  system.advance(400)
  const second = add('second')
  const answered = add('answered')
  expect(system.armed).toBe(1)
  system.advance(599)
  expect(outcomes).toEqual([])
  system.advance(1)
  expect([outcomes, timedOut, system.armed]).toEqual([['first call_timeout'], [first], 1])
  calls.settle(answered, resultOf('x'))
  system.advance(399)
  expect(timedOut).toEqual([first])
  system.advance(1)
  expect(outcomes).toEqual(['first call_timeout', 'answered x', 'second call_timeout'])
  expect(timedOut).toEqual([first, second])
  expect(system.armed).toBe(0)
})

test('[CALL.2] times out calls again: gives the next one its own deadline after all have ended', () => {
  const { system, add, outcomes } = setUp()
  for (const name of ['first', 'second', 'third']) {
    add(name)
    system.advance(TIMEOUT_MS - 1)
    expect(outcomes).not.toContain(`${name} call_timeout`)
    system.advance(1)
    expect(outcomes.at(-1)).toBe(`${name} call_timeout`)
    expect(system.armed).toBe(0)
  }
})

test('[CALL.2] gives a call added while others time out its whole time', () => {
  const { system, calls, outcomes, timedOut } = setUp()
  const settle = () => void calls.add((outcome) => outcomes.push(`next ${shown(outcome)}`))
  calls.add(settle)
  system.advance(TIMEOUT_MS)
  expect([timedOut.length, calls.size, system.armed]).toEqual([1, 1, 1])
  system.advance(TIMEOUT_MS)
  expect(outcomes).toEqual(['next call_timeout'])
})

test('[CALL.3] fails all waiting calls together with their ids, and keeps no timer', () => {
  const { system, calls, outcomes } = setUp()
  const messages: string[] = []
  const ids = [1, 2, 3].map(() =>
    calls.add((outcome) => {
      outcomes.push(String(shown(outcome)))
      if (outcome.kind === 'failed') messages.push(outcome.error.message)
    }),
  )
  calls.settle(ids[1] ?? '', resultOf('x'))
  calls.failAll('outcome_unknown')
  expect(outcomes).toEqual(['x', 'outcome_unknown', 'outcome_unknown'])
  expect(messages.map((text) => text.slice(-29))).toEqual(
    [`Call ${ids[0]}.`, `Call ${ids[2]}.`].map((text) => ` ${text}`),
  )
  expect([calls.size, system.armed]).toEqual([0, 0])
  calls.failAll('outcome_unknown')
  expect(outcomes).toHaveLength(3)
})

test('[BIG.9] gives a call whose result begins to arrive its whole time again', () => {
  const { system, calls, add, outcomes, timedOut } = setUp()
  const id = add('large')
  calls.begin('unknown', resultOf('x'))
  expect(outcomes).toEqual([])
  system.advance(TIMEOUT_MS - 1)
  expect(calls.isWaiting(id)).toBe(true)
  calls.begin(id, resultOf('begins'))
  expect([outcomes, calls.isWaiting(id), calls.has(id)]).toEqual([['large begins'], false, true])
  system.advance(TIMEOUT_MS - 1)
  expect(timedOut).toEqual([])
  calls.touch('unknown')
  system.advance(1)
  expect([timedOut, outcomes, system.armed]).toEqual([[id], ['large begins'], 0])
})

test('[CALL.2] times out a call that was added after all have failed', () => {
  const { system, calls, add, outcomes } = setUp()
  add('first')
  calls.failAll('outcome_unknown')
  add('second')
  system.advance(TIMEOUT_MS)
  expect(outcomes).toEqual(['first outcome_unknown', 'second call_timeout'])
})
