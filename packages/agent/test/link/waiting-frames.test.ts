import { expect, test } from 'vitest'
import { CROWDED, SHARE, WaitingFrames } from '../../src/link/waiting-frames.ts'

test.each([
  ['frames', CROWDED.frames + 1, 1],
  ['bytes', 1, CROWDED.bytes + 1],
])(
  '[LINK.35] lets an exchange with too many %s exceed its share while too much waits',
  (_, frames, bytes) => {
    const waiting = new WaitingFrames()
    const sent = Array.from({ length: frames }, () => waiting.add('flood', bytes))
    waiting.add('calm', 100)
    expect(['flood', 'calm', 'unknown'].map((id) => waiting.exceeds(id))).toEqual([true, false, false])
    for (const done of sent.slice(0, 2)) done()
    expect(waiting.exceeds('flood')).toBe(false)
  },
)

test('[LINK.35] lets exchanges have more than their share while little waits', () => {
  const waiting = new WaitingFrames()
  for (let count = 0; count <= SHARE.frames; count++) waiting.add('one', SHARE.bytes)
  expect(waiting.exceeds('one')).toBe(false)
})
