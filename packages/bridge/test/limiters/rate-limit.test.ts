import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Blocklist } from '../../src/limiters/blocklist.ts'
import {
  type CountedCall,
  type RateLimit,
  RateLimiter,
  type RateLimits,
} from '../../src/limiters/rate-limit.ts'

const ann: CountedCall = { userId: 'ann', sessionId: 'laptop', serverName: 'files', toolName: 'read' }

function setUp(limits?: RateLimits) {
  const blocks = new Blocklist()
  const limiter = new RateLimiter(blocks, limits)
  const call = (nowMs: number, change: Partial<CountedCall> = {}) =>
    limiter.checkToolExecutionRateLimit({ ...ann, ...change }, nowMs)
  const allowed = (times: number, nowMs: number, change: Partial<CountedCall> = {}) =>
    Array.from({ length: times }, () => call(nowMs, change)).filter((verdict) => verdict.allowed).length
  return { blocks, limiter, call, allowed }
}

test('[RATE.1] allows 100 calls of a user within 60 seconds, whichever login and tool', () => {
  const { allowed, call } = setUp()
  expect(allowed(60, 0, { sessionId: 'phone', toolName: 'write' })).toBe(60)
  expect(allowed(40, 59_999)).toBe(40)
  expect(call(59_999)).toEqual({
    allowed: false,
    code: 'rate_limit_exceeded',
    retryAfterSeconds: 900,
    limit: 'user',
    key: 'ann',
    begins: true,
  })
  expect(allowed(1, 59_999, { userId: 'bob' })).toBe(1)
})

test('[RATE.1] drops calls from the window one by one, each 60 seconds after it was made', () => {
  const { allowed } = setUp()
  expect(allowed(99, 0)).toBe(99)
  expect(allowed(1, 30_000)).toBe(1)
  expect(allowed(99, 60_000)).toBe(99)
  expect(allowed(1, 89_999)).toBe(0)
})

test('[RATE.2] blocks for exactly 900 seconds from the 101st call, without extension by further calls', () => {
  const { allowed, call, limiter } = setUp()
  allowed(101, 1_000)
  expect(call(2_000)).toMatchObject({ begins: false, retryAfterSeconds: 899, limit: 'user', key: 'ann' })
  expect(allowed(50, 900_999)).toBe(0)
  expect(call(900_999)).toMatchObject({ begins: false, retryAfterSeconds: 1 })
  expect(limiter.getRateLimitStatus('ann', 900_999)).toEqual({ remaining: 0, retryAfterSeconds: 1 })
  expect(allowed(101, 901_000)).toBe(100)
})

test('[RATE.2] lets nobody exceed the limit in any window or call while blocked, at any times', () => {
  const limits = { user: { maxCalls: 4, windowMs: 100, blockMs: 350 } }
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 90 }), { maxLength: 200, size: 'max' }), (gaps) => {
      const { call } = setUp(limits)
      const passedMs: number[] = []
      let nowMs = 0
      let blockedUntilMs = 0
      for (const gap of gaps) {
        nowMs += gap
        const verdict = call(nowMs)
        const recent = passedMs.filter((atMs) => nowMs - atMs < 100).length
        expect(verdict.allowed).toBe(nowMs >= blockedUntilMs && recent < 4)
        if (verdict.allowed) passedMs.push(nowMs)
        else if (verdict.begins) blockedUntilMs = nowMs + 350
      }
    }),
    { numRuns: 300 },
  )
})

test('[RATE.2] keeps refusing in a new limiter with the same blocks, as after a restart', () => {
  const { allowed, blocks } = setUp()
  allowed(101, 0)
  const after = new RateLimiter(blocks)
  expect(after.checkToolExecutionRateLimit(ann, 899_999)).toMatchObject({ allowed: false })
  expect(after.checkToolExecutionRateLimit(ann, 900_000)).toEqual({ allowed: true, value: undefined })
})

test('[RATE.3] rounds retryAfter up to whole seconds, at least one', () => {
  const { call, allowed, limiter } = setUp({ user: { maxCalls: 1, windowMs: 1_000, blockMs: 1_500 } })
  allowed(1, 0)
  expect(call(0)).toMatchObject({ retryAfterSeconds: 2 })
  expect(call(499.5)).toMatchObject({ retryAfterSeconds: 2 })
  expect(call(1_499.9)).toMatchObject({ retryAfterSeconds: 1 })
  expect(limiter.getRateLimitStatus('ann', 400).retryAfterSeconds).toBe(2)
})

test('[RATE.4] reports the remaining calls without counting, however often it is asked', () => {
  const { allowed, limiter } = setUp()
  allowed(30, 0)
  for (let asked = 0; asked < 200; asked++)
    expect(limiter.getRateLimitStatus('ann', 10)).toEqual({ remaining: 70, retryAfterSeconds: 0 })
  expect(limiter.getRateLimitStatus('bob', 10)).toEqual({ remaining: 100, retryAfterSeconds: 0 })
  expect(allowed(200, 10)).toBe(70)
})

test('[RATE.5] lifts the block and clears the window at a reset, for that key only', () => {
  const { allowed, limiter } = setUp()
  allowed(101, 0)
  allowed(101, 0, { userId: 'bob' })
  limiter.resetRateLimit('ann')
  expect(limiter.getRateLimitStatus('ann', 0)).toEqual({ remaining: 100, retryAfterSeconds: 0 })
  expect(allowed(101, 0)).toBe(100)
  expect(allowed(1, 0, { userId: 'bob' })).toBe(0)
})

test('[RATE.5] clears the window of a token or tool at a reset of its key', () => {
  const one = { maxCalls: 1, windowMs: 1_000, blockMs: 5_000 }
  const { allowed, limiter } = setUp({
    user: { ...one, maxCalls: 9 },
    token: one,
    tools: { 'files/read': one },
  })
  const token = { serverName: 'other' }
  expect([allowed(2, 0, { sessionId: 'x' }), allowed(2, 0, token)]).toEqual([1, 1])
  limiter.resetRateLimit('ann files/read')
  limiter.resetRateLimit('ann laptop')
  expect(allowed(2, 0)).toBe(1)
})

test('[RATE.6] keeps one window per user, and forgets idle users', () => {
  const { allowed, limiter } = setUp()
  for (let user = 0; user < 500; user++) allowed(1, 0, { userId: `user ${user}` })
  expect(limiter.userWindow.size).toBe(500)
  for (let call = 0; call < 1_024; call++) allowed(1, 60_000 + call * 700, { userId: 'ann' })
  expect(limiter.userWindow.size).toBe(1)
})

test('[RATE.7] limits each token separately', () => {
  const token = { maxCalls: 2, windowMs: 1_000, blockMs: 5_000 }
  const { allowed, call } = setUp({ user: { maxCalls: 100, windowMs: 60_000, blockMs: 900_000 }, token })
  expect(allowed(2, 0)).toBe(2)
  expect(call(0)).toMatchObject({ limit: 'token', key: 'ann laptop', retryAfterSeconds: 5, begins: true })
  expect(call(4_999)).toMatchObject({ limit: 'token', begins: false })
  expect(allowed(1, 4_999, { sessionId: 'phone' })).toBe(1)
  expect(allowed(1, 5_000)).toBe(1)
})

test('[RATE.7] limits each tool per user', () => {
  const tool = { maxCalls: 1, windowMs: 1_000, blockMs: 5_000 }
  const user = { maxCalls: 100, windowMs: 60_000, blockMs: 900_000 }
  const { allowed, call } = setUp({ user, tools: { 'files/read': tool } })
  expect(allowed(1, 0)).toBe(1)
  expect(call(0)).toMatchObject({ limit: 'tool', key: 'ann files/read', begins: true })
  expect(allowed(1, 0, { toolName: 'write' })).toBe(1)
  expect(allowed(1, 0, { serverName: 'mail' })).toBe(1)
  expect(allowed(1, 0, { userId: 'bob' })).toBe(1)
  expect(allowed(1, 0, { toolName: undefined })).toBe(1)
})

test('[RATE.7] refuses by the narrowest limit first, without counting in the wider ones', () => {
  const limit = (maxCalls: number) => ({ maxCalls, windowMs: 1_000, blockMs: 5_000 })
  const { allowed, call, limiter } = setUp({
    user: limit(10),
    token: limit(1),
    tools: { 'files/read': limit(1) },
  })
  expect(allowed(1, 0)).toBe(1)
  expect(call(0)).toMatchObject({ limit: 'tool' })
  expect(call(0, { toolName: 'write' })).toMatchObject({ limit: 'token' })
  expect(limiter.getRateLimitStatus('ann', 0).remaining).toBe(9)
})

test('[RATE.7] refuses every call of a tool limited to none', () => {
  const { allowed } = setUp({
    user: { maxCalls: 10, windowMs: 1_000, blockMs: 1 },
    tools: { 'files/delete': { maxCalls: 0, windowMs: 1_000, blockMs: 1_000 } },
  })
  expect(allowed(5, 0, { toolName: 'delete' })).toBe(0)
  expect(allowed(5, 50_000, { toolName: 'delete' })).toBe(0)
})

test('[BLOCK.5] names the blocks that refuse a call, of limits in use, without counting', () => {
  const limit: RateLimit = { maxCalls: 100, windowMs: 1_000, blockMs: 1_000 }
  const { blocks, limiter, allowed } = setUp({ user: limit, token: limit, tools: { 'files/read': limit } })
  const add = (key: string) => blocks.add({ kind: 'calls', key, untilMs: 10 })
  expect(limiter.blockedKeys(ann, 0)).toEqual([])
  add('bob')
  expect(limiter.blockedKeys(ann, 0)).toEqual([])
  for (const key of ['ann', 'ann laptop', 'ann files/read']) add(key)
  expect(limiter.blockedKeys(ann, 9)).toEqual(['ann files/read', 'ann laptop', 'ann'])
  expect(limiter.blockedKeys({ ...ann, toolName: 'write' }, 9)).toEqual(['ann laptop', 'ann'])
  expect(new RateLimiter(blocks).blockedKeys(ann, 9)).toEqual(['ann'])
  expect(limiter.blockedKeys(ann, 10)).toEqual([])
  expect(allowed(101, 10)).toBe(100)
})
