import { expect, test } from 'vitest'
import { isUnresponsive, PING_EVERY_MS, PONG_WITHIN_MS, readerState } from '../../src/gates/agent-socket.ts'

const MIB = 1_048_576

test('[LIVE.1] reports a peer as gone at its second unanswered ping', () => {
  expect([0, 1, 2, 3].map((unanswered) => isUnresponsive({ unanswered }))).toEqual([false, false, true, true])
})

test('[LIVE.1] detects a dead peer within 65 seconds', () => {
  expect(2 * PING_EVERY_MS + PONG_WITHIN_MS).toBeLessThanOrEqual(65_000)
})

test('[LIVE.2] reports a peer as slow from the byte after 4 MiB', () => {
  expect([0, 4 * MIB, 4 * MIB + 1].map((bytes) => readerState(bytes, 0, 16 * MIB))).toEqual([
    'reading',
    'reading',
    'slow',
  ])
})

test('[LIVE.3] reports a peer as stuck after 30 slow seconds, and not one that reads, however long it was slow', () => {
  expect([29_999, 30_000].map((slowMs) => readerState(5 * MIB, slowMs, 16 * MIB))).toEqual(['slow', 'stuck'])
  expect(readerState(4 * MIB, 99_999, 16 * MIB)).toBe('reading')
})

test('[SIZE.6] reports a peer as stuck at once with the byte after the bound', () => {
  expect([16 * MIB, 16 * MIB + 1].map((bytes) => readerState(bytes, 0, 16 * MIB))).toEqual(['slow', 'stuck'])
})
