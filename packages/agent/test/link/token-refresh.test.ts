import { expect, test } from 'vitest'
import { TokenRefresh } from '../../src/link/token-refresh.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { tokenOf } from '../support/linked.ts'

const settled = () => new Promise((resolve) => setImmediate(resolve))

function setUp(
  lifetimeMs = 900_000,
  claims: (iat: number) => object = (iat) => ({ iat, exp: iat + lifetimeMs / 1_000 }),
) {
  const system = new FakeSystem()
  const wakes: number[] = []
  const answers: (string | Error)[] = []
  let asked = 0
  const token = (n: number) => tokenOf({ sub: 'u', sid: 's', n, ...claims(system.nowMs() / 1_000) })
  const first = token(0)
  const refresh = new TokenRefresh(first, {
    system,
    wake: () => wakes.push(system.monotonicMs()),
    token: async () => {
      asked++
      const answer = answers.shift() ?? new Error('none')
      if (answer instanceof Error) throw answer
      return answer
    },
  })
  const startMs = system.monotonicMs()
  const dueInMs = () => refresh.dueMs - system.monotonicMs()
  return { system, refresh, answers, token, first, wakes, dueInMs, startMs, asked: () => asked }
}

test('[LINK.31] asks for a token 90 seconds before expiry, delivers it once, and repeats before the next expiry', async () => {
  const { system, refresh, answers, token, first, dueInMs, wakes, asked } = setUp()
  let present = first
  for (let time = 1; time <= 3; time++) {
    expect(dueInMs()).toBe(810_000)
    await system.advance(809_999)
    expect([refresh.step(present), asked()]).toEqual([undefined, time - 1])
    await system.advance(1)
    const fresh = token(time)
    answers.push(fresh)
    expect(refresh.step(present)).toBeUndefined()
    expect(dueInMs()).toBe(Number.POSITIVE_INFINITY)
    expect(refresh.step(present)).toBeUndefined()
    await settled()
    expect([asked(), wakes.length, dueInMs()]).toEqual([time, time, 15_000])
    expect(refresh.step(present)).toBe(fresh)
    expect(refresh.step(present)).toBeUndefined()
    present = fresh
    refresh.step(present)
  }
})

test('[LINK.31] asks again every 15 seconds when it gets no new token', async () => {
  const { system, refresh, answers, token, first, asked } = setUp()
  await system.advance(810_000)
  for (const answer of [new Error('down'), first, new Error('down')]) {
    answers.push(answer)
    refresh.step(first)
    await settled()
    const before = asked()
    expect(refresh.step(first)).toBeUndefined()
    await system.advance(14_999)
    refresh.step(first)
    expect(asked()).toBe(before)
    await system.advance(1)
  }
  const fresh = token(1)
  answers.push(fresh)
  refresh.step(first)
  await settled()
  expect(refresh.step(first)).toBe(fresh)
  expect(asked()).toBe(4)
})

test('[LINK.31] asks in the last quarter of a short token’s life', () => {
  expect(setUp(60_000).dueInMs()).toBe(45_000)
  expect(setUp(360_000).dueInMs()).toBe(270_000)
  expect(setUp(400_000).dueInMs()).toBe(310_000)
})

test.each<[string, (iat: number) => object, number]>([
  ['has no expiry', () => ({}), Number.POSITIVE_INFINITY],
  ['has an expiry that is not a number', () => ({ exp: 'soon' }), Number.POSITIVE_INFINITY],
  ['has no start', (iat) => ({ exp: iat + 60 }), 45_000],
  ['ends now by a clock that is ahead', (iat) => ({ iat: iat - 60, exp: iat }), 45_000],
  ['ended by a clock that is ahead', (iat) => ({ iat: iat - 1_000, exp: iat - 940 }), 45_000],
  [
    'began in the future of a clock that is behind',
    (iat) => ({ iat: iat + 5_000, exp: iat + 5_060 }),
    45_000,
  ],
  ['has expired and has no start', (iat) => ({ exp: iat - 1 }), 0],
  ['ended before it began', (iat) => ({ iat, exp: iat - 60 }), 0],
])('[LINK.31] asks in time to replace a token that %s', (_what, claims, dueInMs) => {
  expect(setUp(0, claims).dueInMs()).toBe(dueInMs)
})

test.each(['opaque', 'a.b.c', `a.${Buffer.from('"text"').toString('base64url')}.c`])(
  '[LINK.31] asks for no fresh token when the current one is unreadable: %s',
  (token) => {
    const system = new FakeSystem()
    const refresh = new TokenRefresh(token, { system, wake: () => {}, token: () => 'x' })
    expect(refresh.dueMs).toBe(Number.POSITIVE_INFINITY)
  },
)
