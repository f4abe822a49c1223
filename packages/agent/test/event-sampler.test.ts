import { codes } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { EventSampler } from '../src/event-sampler.ts'
import type { AgentEvent, SampledEvent } from '../src/events.ts'
import { FakeSystem } from './support/fake-system.ts'

function sampled() {
  const events: AgentEvent[] = []
  const system = new FakeSystem()
  const sampler = new EventSampler(system, (event) => events.push(event))
  return { events, system, sampler }
}

const line = (name: string, text: string): SampledEvent => ({ type: 'server-stderr', name, text })

test('[EVENT.1] passes on 100 events of a kind in 10 seconds, then reports how many it dropped', async () => {
  const { events, system, sampler } = sampled()
  for (let n = 1; n <= 250; n++) sampler.take(line('one', `line ${n}`))
  expect(events).toHaveLength(100)
  expect(events.at(-1)).toEqual(line('one', 'line 100'))
  await system.advance(9_999)
  expect(events).toHaveLength(100)
  await system.advance(1)
  expect(events.slice(100)).toEqual([{ type: 'events-left-out', count: 150, last: line('one', 'line 250') }])
})

test('[EVENT.1] starts over after each window', async () => {
  const { events, system, sampler } = sampled()
  for (let window = 0; window < 3; window++) {
    for (let n = 0; n < 150; n++) sampler.take(line('one', 'x'))
    await system.advance(10_000)
  }
  expect(events.filter(({ type }) => type === 'server-stderr')).toHaveLength(300)
  expect(events.flatMap((event) => (event.type === 'events-left-out' ? event.count : []))).toEqual([
    50, 50, 50,
  ])
  await system.advance(60_000)
  expect(events).toHaveLength(303)
})

test('[EVENT.1] reports dropped events even if the timer is late', () => {
  const events: AgentEvent[] = []
  const clock = new FakeSystem()
  let nowMs = 0
  const system = { ...clock, monotonicMs: () => nowMs, schedule: () => () => {} }
  const sampler = new EventSampler(system, (event) => events.push(event))
  for (let n = 0; n < 101; n++) sampler.take(line('one', 'x'))
  nowMs = 10_000
  sampler.take(line('one', 'y'))
  expect(events.slice(100).map(({ type }) => type)).toEqual(['events-left-out', 'server-stderr'])
})

test('[EVENT.1] reports dropped events when the agent ends', () => {
  const { events, sampler } = sampled()
  for (let n = 0; n < 101; n++) sampler.take(line('one', 'x'))
  sampler.close()
  sampler.close()
  expect(events.slice(100)).toMatchObject([{ type: 'events-left-out', count: 1 }])
})

test('[EVENT.2] shows an event of another server or another type at once', () => {
  const { events, sampler } = sampled()
  for (let n = 0; n < 1_000; n++) sampler.take(line('one', 'x'))
  sampler.take(line('two', 'first'))
  sampler.take({ type: 'bridge-error', code: 'token_revoked' })
  expect(events.slice(100)).toEqual([line('two', 'first'), { type: 'bridge-error', code: 'token_revoked' }])
})

test('[EVENT.2] counts made-up codes and names of a bridge as one kind', () => {
  const { events, sampler } = sampled()
  for (let n = 0; n < 1_000; n++) {
    sampler.take({ type: 'bridge-error', code: `made_up_${n}` })
    const finished = { type: 'call-finished', tool: 't', outcome: 'server_not_found', durationMs: 1 } as const
    sampler.take({ ...finished, server: `made-up-${n}` })
  }
  expect(events).toHaveLength(200)
  for (const code of Object.keys(codes)) sampler.take({ type: 'bridge-error', code })
  expect(events).toHaveLength(200 + Object.keys(codes).length)
})
