import { expect, test } from 'vitest'
import { dueMs, type Heartbeat, probe, quiet, step } from '../../src/link/heartbeat.ts'

const PING_MS = 30_000

test('[LINK.15] pings after 30 quiet seconds, and gives up 30 seconds later', () => {
  const start = quiet(1_000)
  expect(dueMs(start)).toBe(1_000 + PING_MS)
  expect(step(start, 1_000 + PING_MS - 1, 5)).toEqual([start, 'none'])
  const [asked, action] = step(start, 1_000 + PING_MS, 5)
  expect(action).toBe('ping')
  expect(dueMs(asked)).toBe(1_000 + 2 * PING_MS)
  expect(step(asked, 1_000 + 2 * PING_MS - 1, 5)).toEqual([asked, 'none'])
  expect(step(asked, 1_000 + 2 * PING_MS, 5)).toEqual([asked, 'dead'])
})

test('[LINK.15] starts the next round with each answer, 30 seconds after the ping', () => {
  let beat: Heartbeat = quiet(0)
  for (let round = 1; round <= 3; round++) {
    const askedAtMs = round * PING_MS
    const [asked, action] = step(beat, askedAtMs, round)
    expect(action).toBe('ping')
    const [next, none] = step(asked, askedAtMs + 100, round + 1)
    expect([none, dueMs(next)]).toEqual(['none', askedAtMs + PING_MS])
    beat = next
  }
})

test('[LINK.15] does not take a frame from before the ping as its answer, but accepts a late one', () => {
  const [asked] = step(quiet(0), PING_MS, 7)
  expect(step(asked, PING_MS + 1, 7)[1]).toBe('none')
  expect(step(asked, 3 * PING_MS, 7)[1]).toBe('dead')
  expect(step(asked, 3 * PING_MS, 8)[1]).toBe('none')
})

test('[LINK.23] pings with five seconds to answer after a sleep, or less if an earlier ping is open', () => {
  expect(dueMs(probe(quiet(0), 100, 0))).toBe(5_100)
  const [asked] = step(quiet(0), PING_MS, 1)
  expect(dueMs(probe(asked, 2 * PING_MS - 1_000, 1))).toBe(2 * PING_MS)
  expect(dueMs(probe(asked, PING_MS + 1, 1))).toBe(PING_MS + 5_001)
  // Its answer has arrived since.
  expect(dueMs(probe(asked, 2 * PING_MS - 1_000, 2))).toBe(2 * PING_MS + 4_000)
  const twice = probe(probe(quiet(0), 100, 0), 2_100, 0)
  expect(dueMs(twice)).toBe(5_100)
  expect(step(twice, 5_099, 0)[1]).toBe('none')
  expect(step(twice, 5_100, 0)[1]).toBe('dead')
  expect(step(twice, 5_100, 1)).toEqual([quiet(2_100), 'none'])
})
