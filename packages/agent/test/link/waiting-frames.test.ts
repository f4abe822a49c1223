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

test.each([
  ['its share of frames', [SHARE.frames, 1], [CROWDED.frames + 1, 1], false],
  ['frames up to the limit', [SHARE.frames + 1, 1], [CROWDED.frames - SHARE.frames - 1, 1], false],
  ['a frame over the limit', [SHARE.frames + 1, 1], [CROWDED.frames - SHARE.frames, 1], true],
  ['its share of bytes', [1, SHARE.bytes], [1, CROWDED.bytes + 1], false],
  ['bytes up to the limit', [1, SHARE.bytes + 1], [1, CROWDED.bytes - SHARE.bytes - 1], false],
  ['a byte over the limit', [1, SHARE.bytes + 1], [1, CROWDED.bytes - SHARE.bytes], true],
] as const)(
  '[LINK.35] compares an exchange with share and limit, inclusively: %s',
  (_, own, others, exceeds) => {
    const waiting = new WaitingFrames()
    for (const [id, [frames, bytes]] of [
      ['own', own],
      ['others', others],
    ] as const)
      for (let count = 0; count < frames; count++) waiting.add(id, bytes)
    expect(waiting.exceeds('own')).toBe(exceeds)
  },
)

test('[LINK.35] counts sent frames no longer, and keeps the others of their exchange', () => {
  const waiting = new WaitingFrames()
  for (let round = 0; round < 2; round++) {
    const sent = Array.from({ length: CROWDED.frames + 2 }, () => waiting.add('flood', SHARE.bytes))
    for (const done of sent.splice(0, 1)) done()
    expect(waiting.exceeds('flood')).toBe(true)
    for (const done of sent) done()
    // All of it was sent, so that another may exceed its share.
    const large = waiting.add('other', SHARE.bytes + 1)
    expect([waiting.exceeds('flood'), waiting.exceeds('other')]).toEqual([false, false])
    large()
  }
})
