import { expect, test } from 'vitest'
import { ANSWER, ExchangeWorld, PROGRESS, SESSION } from '../support/exchange-world.ts'
import { FakeConnection } from '../support/fake-connection.ts'

test('[EXCH.2] nothing that another connection sends reaches the caller, even of the same user', () => {
  const at = new ExchangeWorld()
  const victim = at.open({ session: SESSION })
  const thief = new FakeConnection('ann', 'other')
  at.open({}, thief)
  expect(victim.receive({ type: 'accepted' }, thief)).toBe(false)
  victim.receive({ type: 'accepted' })
  victim.receive({ type: 'message', number: 1, message: PROGRESS }, thief)
  expect(victim.receive({ type: 'end', status: 200, message: ANSWER }, thief)).toBe(false)
  at.table.endRefused(thief, victim.id, 'result_invalid')
  at.table.cut(thief)
  expect(victim.seen).toEqual(['accepted'])
  victim.receive({ type: 'end', status: 200, number: 1, message: ANSWER })
  expect(victim.seen).toEqual(['accepted', `200 ${ANSWER} 1`])
})

test('[EXCH.2] each id has 15 random bytes of its own, then its slot', () => {
  const at = new ExchangeWorld()
  const ids = Array.from({ length: 3 }, () => at.open().id)
  expect(new Set(ids.map((id) => id.slice(0, 20))).size).toBe(3)
  for (const [slot, id] of ids.entries()) expect(id).toMatch(new RegExp(`^[\\w-]{20}0${slot}$`))
})

test('[LOAD.6] no message of an exchange is free of charge, however many the agent sends', () => {
  const { seen, receive } = new ExchangeWorld().open()
  receive({ type: 'accepted' })
  const free = Array.from({ length: 1_000 }, () => receive({ type: 'message', message: PROGRESS }))
  expect([free.includes(true), seen.length]).toEqual([false, 1_001])
})

test('[LOAD.6] an agent gets two frames of each exchange free of charge, also with invented ids', () => {
  const at = new ExchangeWorld()
  const { receive } = at.open()
  const frames = [{ type: 'accepted' }, { type: 'end', status: 200, message: ANSWER }] as const
  const twice = frames.flatMap((frame) => [frame, frame])
  expect(twice.map((frame) => receive(frame))).toEqual([true, false, true, false])
  for (const frame of frames) expect(at.table.received(at.agent, { ...frame, id: 'invented' })).toBe(false)
})
