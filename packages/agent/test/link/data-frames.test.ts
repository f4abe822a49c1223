import { encodeChunk, type OpenFrame, type OutgoingFrame } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { HeldBytes } from '../../src/held-bytes.ts'
import { DataFrames } from '../../src/link/data-frames.ts'
import type { LocalOutcome } from '../../src/local-tools.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { FakeTools, RecordedExchanges } from '../support/linked.ts'

/** Frames of a connection that may hold 100 bytes of announced payloads. */
function setUp() {
  const held = new HeldBytes(100)
  const tools = new FakeTools()
  const exchanges = new RecordedExchanges()
  const sent: { readonly id?: string; readonly code?: string }[] = []
  const socket = {
    send: (frame: Buffer) => void sent.push(JSON.parse(String(frame))),
    sendChunk: () => {},
    close: () => {},
    terminate: () => {},
  }
  const data = new DataFrames(socket, {
    ...{ system: new FakeSystem(), tools, exchanges, held },
    ...{ version: 'v2', onEvent: () => {} },
  })
  return { data, held, tools, exchanges, sent }
}

const call = (id: string, bytes: number) =>
  ({ type: 'tool_execute', id, serverName: 's', toolName: 't', bytes, rawArgs: Buffer.alloc(0) }) as const
const open = (id: string, bytes: number): OpenFrame => ({
  ...({ type: 'open', server: 's', kind: 'request', era: '2025', client: 'c', streams: true } as const),
  ...{ id, bytes },
})
const chunk = (id: string, text: string) => encodeChunk({ id, bytes: Buffer.from(text) })
const settled = () => new Promise((resolve) => setImmediate(resolve))

test('[BIG.8] holds the memory of arguments until their call has ended', async () => {
  const { data, held, tools, sent } = setUp()
  const { promise, resolve } = Promise.withResolvers<LocalOutcome>()
  tools.answer = () => promise
  data.begin()
  expect([data.handle(call('1', 60)), data.handle(call('2', 41))]).toEqual([true, true])
  expect(sent).toMatchObject([{ id: '2', code: 'too_many_calls' }])
  data.handle(chunk('1', `"${'x'.repeat(58)}"`))
  await settled()
  expect([tools.calls.length, held.bytes]).toEqual([1, 60])
  resolve({ ok: true, result: Buffer.from('{}') })
  await settled()
  expect([sent.at(-1)?.id, held.bytes]).toEqual(['1', 0])
})

test('[BIG.8] frees the memory of a message once its exchange is open, or was cancelled, detached or done', () => {
  const { data, held, exchanges } = setUp()
  data.begin()
  data.handle(open('1', 2))
  expect([data.handle(chunk('1', '{}')), held.bytes]).toEqual([true, 0])
  for (const type of ['cancel', 'detach', 'done'] as const) {
    data.handle(open('2', 60))
    expect(held.bytes).toBe(60)
    data.handle({ type, id: '2' })
    expect(held.bytes).toBe(0)
  }
  expect(exchanges.frames.map(({ type }) => type)).toEqual(['open', 'cancel', 'detach', 'done'])
  data.handle(open('3', 60))
  data.handle(open('4', 60))
  expect([exchanges.refused, held.bytes]).toEqual([['4 too_many_calls'], 60])
})

test('[EXCH.30] handles nothing before the bridge is verified and after the end, and reports that end once', () => {
  const { data, exchanges, tools, sent } = setUp()
  let ends = 0
  exchanges.disconnected = () => void ends++
  const unreadable = Buffer.from('{"type":"tool_execute","id":"1"}')
  const attempts = () => {
    data.refuse(unreadable, 'No.')
    return [data.handle(call('1', 0)), data.handle(open('2', 0)), data.handle(chunk('1', ''))]
  }
  expect(attempts()).toEqual([false, false, false])
  data.end()
  expect(ends).toBe(0)
  data.begin()
  for (let time = 0; time < 2; time++) {
    data.end()
    expect([ends, ...attempts()]).toEqual([1, false, false, false])
  }
  expect([exchanges.frames, tools.calls, sent]).toEqual([[], [], []])
})

test('[LINK.27] answers an unreadable call of a verified bridge', () => {
  const { data, sent } = setUp()
  data.begin()
  data.refuse(Buffer.from('{"type":"tool_execute","id":"1"}'), 'No.')
  data.refuse(Buffer.from('{"type":"tool_execute"}'), 'No.')
  expect(sent).toMatchObject([{ id: '1', code: 'message_invalid' }])
})

test('[EXCH.30] sends what exchanges send, and takes credit only for what was sent', () => {
  const { data, exchanges, sent } = setUp()
  data.begin()
  const frame: OutgoingFrame = { id: 'x', head: Buffer.from('{"id":"x"}'), isLast: false }
  expect([exchanges.send?.(frame), sent]).toEqual([true, [{ id: 'x' }]])
  expect(exchanges.send?.({ ...frame, payload: Buffer.from('{}') })).toBe(true)
  expect([data.credit('x', 1), data.credit('x', 1_000_000), data.credit('y', 1)]).toEqual([true, false, true])
})
