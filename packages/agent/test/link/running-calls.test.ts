import { limits, type ProtocolVersion } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import type { LinkEvent } from '../../src/events.ts'
import { MAX_ARGUMENT_BYTES, RunningCalls } from '../../src/link/running-calls.ts'
import type { LocalCall, LocalOutcome } from '../../src/local-tools.ts'
import { FakeSystem } from '../support/fake-system.ts'

const MAX_RUNNING = 512

function setUp(version: ProtocolVersion = 'v2') {
  const system = new FakeSystem()
  const sent: Record<string, unknown>[] = []
  const events: LinkEvent[] = []
  const asked: (LocalCall & { readonly answer: (outcome: LocalOutcome) => void })[] = []
  const tools = {
    catalog: () => [],
    call: (call: LocalCall) => new Promise<LocalOutcome>((answer) => asked.push({ ...call, answer })),
  }
  const calls = new RunningCalls({
    ...{ system, tools, version },
    send: ({ head, payload, isLast }) => {
      expect(isLast).toBe(true)
      sent.push({ ...JSON.parse(String(head)), ...(payload && { payload }) })
      return true
    },
    onEvent: (event) => events.push(event),
  })
  const run = (id: string, rawArgs = Buffer.from('{"x":1}'), rawMeta?: Buffer) =>
    calls.run({
      ...{ type: 'tool_execute', id, serverName: 's', toolName: 't', rawArgs },
      ...(rawMeta && { rawMeta }),
    })
  return { system, calls, sent, events, asked, run }
}

const OK: LocalOutcome = { ok: true, result: Buffer.from('{"y":2}') }

test('[LINK.7] runs a call with its arguments, answers with the result, and reports its duration', async () => {
  const { system, sent, events, asked, run } = setUp()
  const done = run('a')
  expect(asked[0]).toMatchObject({ serverName: 's', toolName: 't' })
  expect(String(asked[0]?.rawArgs)).toBe('{"x":1}')
  await system.advance(12.4)
  asked[0]?.answer(OK)
  await done
  expect(sent).toEqual([{ type: 'tool_result', id: 'a', success: true, result: { y: 2 } }])
  expect(events).toEqual([{ type: 'call-finished', server: 's', tool: 't', outcome: 'ok', durationMs: 12 }])
})

test('[LINK.11] runs 512 concurrent calls and refuses one more, also after many finished ones', async () => {
  const { sent, asked, run } = setUp()
  for (let round = 0; round < 2; round++) {
    const done = Array.from({ length: MAX_RUNNING }, (_, n) => run(`${round} ${n}`))
    expect(sent).toHaveLength(round * (MAX_RUNNING + 1))
    await run('one more')
    expect(sent.at(-1)).toMatchObject({ id: 'one more', success: false, code: 'too_many_calls' })
    for (const { answer } of asked.splice(0)) answer(OK)
    await Promise.all(done)
  }
  void run('and then')
  expect(asked).toHaveLength(1)
})

test('[LINK.11] refuses a running id, and accepts it again once its call ends', async () => {
  const { sent, asked, run } = setUp()
  for (let time = 0; time < 3; time++) {
    const done = run('a')
    await run('a')
    expect(sent.at(-1)).toMatchObject({ id: 'a', code: 'call_id_conflict' })
    asked[time]?.answer(OK)
    await done
    expect(sent.at(-1)).toMatchObject({ id: 'a', success: true })
  }
  expect(asked).toHaveLength(3)
})

test('[LINK.9] accepts a result that fills a message of v1 to its last byte, and refuses one byte more', async () => {
  const around = '{"type":"tool_result","id":"a","success":true,"result":}'.length
  for (const [bytes, code] of [
    [limits.messageBytes - around, undefined],
    [limits.messageBytes - around + 1, 'result_too_large'],
  ] as const) {
    const { sent, events, asked, run } = setUp('v1')
    const done = run('a')
    asked[0]?.answer({ ok: true, result: Buffer.from(`"${'x'.repeat(bytes - 2)}"`) })
    await done
    expect(sent[0]?.success).toBe(code === undefined)
    expect(events).toMatchObject([{ outcome: code ?? 'ok' }])
  }
})

test('[LINK.8] sends v2 the code and the server’s error if it fits, and v1 its text', async () => {
  const failed = (data: string): LocalOutcome => ({
    ...{ ok: false, code: 'tool_failed', error: 'no' },
    rpcError: Buffer.from(`{"code":-1,"message":"no","data":"${data}"}`),
  })
  const answerTo = async (outcome: LocalOutcome, version?: ProtocolVersion) => {
    const { sent, asked, run } = setUp(version)
    const done = run('a')
    asked[0]?.answer(outcome)
    await done
    return sent[0]
  }
  const head = { type: 'tool_result', id: 'a', success: false, error: 'no' }
  expect(await answerTo(failed('d'))).toEqual({
    ...{ ...head, code: 'tool_failed' },
    rpcError: { code: -1, message: 'no', data: 'd' },
  })
  const around = JSON.stringify({
    ...head,
    code: 'tool_failed',
    rpcError: { code: -1, message: 'no', data: '' },
  })
  const freeChars = limits.messageBytes - around.length
  expect(await answerTo(failed('x'.repeat(freeChars)))).toHaveProperty('rpcError')
  expect(await answerTo(failed('x'.repeat(freeChars + 1)))).toEqual({ ...head, code: 'tool_failed' })
  expect(await answerTo({ ok: false, code: 'server_exited', error: 'no' })).toEqual({
    ...head,
    code: 'server_exited',
  })
  expect(await answerTo(failed('d'), 'v1')).toEqual(head)
})

test('[LINK.10] [LINK.12] cancels the named call, or all running ones', () => {
  const { calls, asked, run } = setUp()
  for (const id of ['a', 'b', 'c']) void run(id)
  calls.cancel('b')
  calls.cancel('none')
  expect(asked.map(({ signal }) => signal.aborted)).toEqual([false, true, false])
  calls.cancelAll()
  expect(asked.map(({ signal }) => signal.aborted)).toEqual([true, true, true])
})

test('[LINK.27] answers an unreadable call, unless one of its id runs', async () => {
  const { calls, sent, run } = setUp()
  void run('a')
  calls.refuse('a', 'why')
  expect(sent).toEqual([])
  calls.refuse('b', 'why\u001b')
  expect(sent).toMatchObject([{ id: 'b', success: false, code: 'message_invalid' }])
  expect(sent[0]?.error).toBe('The message is not valid. why ')
  const v1 = setUp('v1')
  v1.calls.refuse('b', 'why')
  expect(v1.sent[0]).not.toHaveProperty('code')
})

test('[LINK.32] counts arguments and metadata of running calls, up to 128 MiB', async () => {
  const { sent, asked, run } = setUp()
  for (let round = 0; round < 2; round++) {
    const done = run('a', Buffer.alloc(2), Buffer.alloc(MAX_ARGUMENT_BYTES - 3))
    const small = run('b', Buffer.alloc(1))
    await run('c', Buffer.alloc(0), Buffer.alloc(1))
    expect(sent.at(-1)).toMatchObject({ id: 'c', code: 'too_many_calls' })
    for (const { answer } of asked.splice(0)) answer(OK)
    await Promise.all([done, small])
  }
})

test('[BIG.8] refuses a call whose arguments have no room, unless one of its id runs', () => {
  const { calls, sent, run } = setUp()
  void run('a')
  calls.refuseLarge('a')
  expect(sent).toEqual([])
  calls.refuseLarge('b')
  expect(sent).toMatchObject([{ id: 'b', success: false, code: 'too_many_calls' }])
})
