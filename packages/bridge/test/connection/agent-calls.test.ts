import { limits } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { callFrame, MAX_ABANDONED_CALLS } from '../../src/connection/agent-calls.ts'
import { OneConnection, TIMEOUT_MS } from '../support/one-connection.ts'

const RESULT = { type: 'tool_result', success: true, result: {} }
const CALL = { serverName: 's', toolName: 't', rawArgs: Buffer.from('{}') }

/** Ids of the results that were logged as unexpected. */
const unexpected = (one: OneConnection) =>
  one.named('ws_unexpected_result').map((event) => 'requestId' in event && event.requestId)

test.each<[string, (one: OneConnection) => string | undefined]>([
  [
    'a cancelled call',
    (one) => {
      const { id, cancel } = one.call()
      cancel()
      return id
    },
  ],
  [
    'a call that timed out',
    (one) => {
      const { id } = one.call()
      one.system.advance(TIMEOUT_MS)
      return id
    },
  ],
])('[CALL.10] expects one late answer to %s, readable or not', async (_title, abandoned) => {
  const one = await new OneConnection().ready()
  const [first, second] = [abandoned(one), abandoned(one)]
  one.send({ ...RESULT, id: first })
  expect([unexpected(one), one.uncounted.includes(JSON.stringify({ ...RESULT, id: first }).length)]).toEqual([
    [],
    false,
  ])
  one.send({ ...RESULT, id: first })
  expect(unexpected(one)).toEqual([first])
  one.send(`{"type":"tool_result","id":"${second}","success":true,"result":${'['.repeat(1_000)}}`)
  one.send({ ...RESULT, id: second })
  expect(unexpected(one)).toEqual([first, second])
})

test('[CALL.10] remembers the 512 newest calls that were abandoned', async () => {
  const one = await new OneConnection().ready()
  const ids = Array.from({ length: MAX_ABANDONED_CALLS + 1 }, () => {
    const { id, cancel } = one.call()
    cancel()
    return id
  })
  for (const id of ids.slice(1, 3)) one.send({ ...RESULT, id })
  expect(unexpected(one)).toEqual([])
  one.send({ ...RESULT, id: ids[0] })
  expect(unexpected(one)).toEqual([ids[0]])
})

test('[CALL.4] a call that was refused has nothing to cancel', async () => {
  const one = await new OneConnection().ready()
  one.call({ toolName: '' }).cancel()
  one.connection.slow = true
  one.call().cancel()
  expect(one.outcomes).toEqual(['tool_name_invalid', 'agent_slow'])
  expect(one.sent('tool_cancel')).toEqual([])
})

test('[CALL.3] [CALL.4] sends no cancellation when a call is cancelled while its connection ends', async () => {
  const one = await new OneConnection().ready()
  const second = { cancel: () => {} }
  one.connection.call(CALL, () => second.cancel())
  second.cancel = one.call().cancel
  one.connection.revoke()
  expect([one.outcomes, one.sent('tool_cancel')]).toEqual([['call_cancelled'], []])
})

test('[CALL.7] settles a call with its agent’s failure, in the form of its version', async () => {
  for (const [version, outcome] of [
    ['v2', 'server_exited'],
    ['v1', '{"content":[{"type":"text","text":"gone"}],"isError":true}'],
  ] as const) {
    const one = await new OneConnection({ version }).ready()
    const { id } = one.call()
    one.send({ type: 'tool_result', id, success: false, error: 'gone', code: 'server_exited' })
    expect([one.outcomes, unexpected(one)]).toEqual([[outcome], []])
  }
})

test('[BIG.10] accepts arguments of exactly 64 MiB', () => {
  const rawArgs = Buffer.alloc(limits.payloadBytes)
  expect(callFrame('i', { ...CALL, rawArgs, bounded: true }, 'v2')).toMatchObject({ id: 'i', isLast: true })
})
