import { expect, test } from 'vitest'
import { EarlyFrames, MAX_EARLY, MAX_EARLY_BYTES } from '../../src/link/early-frames.ts'

const PING = { type: 'ping' } as const

test('[LINK.33] holds 1,024 frames in their order, and refuses one more', () => {
  const early = new EarlyFrames()
  const chunk = Buffer.from('chunk')
  expect(early.hold(chunk, 1)).toBe(true)
  for (let count = 1; count < MAX_EARLY; count++) expect(early.hold(PING, 1)).toBe(true)
  expect(early.hold(PING, 1)).toBe(false)
  expect(early.held).toHaveLength(MAX_EARLY)
  expect(early.held.slice(0, 2)).toEqual([chunk, PING])
})

test('[LINK.33] holds 16 MiB, and refuses one byte more', () => {
  const early = new EarlyFrames()
  expect([early.hold(PING, MAX_EARLY_BYTES - 1), early.hold(PING, 1), early.hold(PING, 1)]).toEqual([
    true,
    true,
    false,
  ])
})
