import { expect, test } from 'vitest'
import { InFlight } from '../../src/exchanges/in-flight.ts'

test('[EXCH.10] drains at once without requests', async () => {
  const inFlight = new InFlight()
  expect([inFlight.isDraining, inFlight.count]).toEqual([false, 0])
  await inFlight.drain()
  expect(inFlight.isDraining).toBe(true)
})

test('[EXCH.10] drains after the last of several requests, for everybody who waits', async () => {
  const inFlight = new InFlight()
  inFlight.began()
  inFlight.began()
  const drained: string[] = []
  const drains = ['first', 'second'].map((name) => inFlight.drain().then(() => drained.push(name)))
  inFlight.ended()
  await Promise.resolve()
  expect([drained, inFlight.count]).toEqual([[], 1])
  inFlight.ended()
  await Promise.all(drains)
  expect([drained, inFlight.count]).toEqual([['first', 'second'], 0])
})
