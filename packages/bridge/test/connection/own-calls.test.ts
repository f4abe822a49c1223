import { BridgeError, PayloadStream } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { type CallOutcome, failed } from '../../src/calls/outcome.ts'
import { OwnCalls } from '../../src/connection/own-calls.ts'
import { resultOf } from '../support/fake-connection.ts'

function setUp(version: 'v1' | 'v2' = 'v2', maxRunning = 2) {
  const sent: Record<string, unknown>[] = []
  const calls = new OwnCalls(version, maxRunning, (frame) => sent.push(JSON.parse(String(frame))))
  const running = new Map<string, (outcome: CallOutcome) => void>()
  const cancelled: string[] = []
  const run = (id: string) =>
    calls.run(id, (settle, obstacle) => {
      if (obstacle === undefined) running.set(id, settle)
      else settle(failed(new BridgeError(obstacle)))
      return () => cancelled.push(id)
    })
  return { calls, sent, run, running, cancelled }
}

test('[CALL.8] refuses a socket’s own call above its limit of concurrent ones', () => {
  const { sent, run, running } = setUp()
  for (const id of ['a', 'b', 'c']) run(id)
  expect([...running.keys()]).toEqual(['a', 'b'])
  expect(sent).toMatchObject([{ type: 'tool_result', id: 'c', success: false, code: 'too_many_calls' }])
  running.get('a')?.(resultOf('{"x":1}'))
  run('c')
  expect([...running.keys()]).toEqual(['a', 'b', 'c'])
  expect(sent[1]).toEqual({ type: 'tool_result', id: 'a', success: true, result: { x: 1 } })
})

test('[CALL.8] refuses a running id, and accepts it again once its call ends', () => {
  const { sent, run, running } = setUp()
  run('a')
  run('a')
  expect(sent).toMatchObject([{ id: 'a', success: false, code: 'call_id_conflict' }])
  for (let time = 0; time < 3; time++) {
    running.get('a')?.(resultOf(`${time}`))
    run('a')
  }
  expect(sent.slice(1)).toMatchObject([{ result: 0 }, { result: 1 }, { result: 2 }])
})

test('[CALL.8] cancels the running calls of a socket that closes', () => {
  const { calls, run, running, cancelled } = setUp()
  run('a')
  run('b')
  running.get('a')?.(resultOf('1'))
  calls.cancelAll()
  expect(cancelled).toEqual(['b'])
})

test('[CALL.8] frees the id of a call that ends before it begins, with nothing to cancel', () => {
  const { calls, sent } = setUp('v2', 1)
  let cancelled = 0
  for (let time = 0; time < 3; time++)
    calls.run('a', (settle) => {
      settle(failed(new BridgeError('agent_offline')))
      return () => cancelled++
    })
  calls.cancelAll()
  expect(sent.map(({ code }) => code)).toEqual(['agent_offline', 'agent_offline', 'agent_offline'])
  expect(cancelled).toBe(0)
})

test('[CALL.7] passes a local server’s error and a refusal’s retry time to the socket', () => {
  const limited = failed(new BridgeError('rate_limit_exceeded', undefined, { retryAfterSeconds: 9 }))
  const { sent, run, running } = setUp()
  run('a')
  running.get('a')?.({ kind: 'rpc-error', rpcError: Buffer.from('{"code":-1,"message":"no"}') })
  run('b')
  running.get('b')?.(limited)
  expect(sent[0]).toEqual({
    type: 'tool_result',
    id: 'a',
    success: false,
    error: '{"code":-1,"message":"no"}',
  })
  expect(sent[1]).toMatchObject({ type: 'tool_result', id: 'b', code: 'rate_limit_exceeded', retryAfter: 9 })
  const v1 = setUp('v1')
  v1.run('c')
  v1.running.get('c')?.(limited)
  v1.run('d')
  v1.running.get('d')?.(failed(new BridgeError('agent_offline')))
  expect(v1.sent[0]).toMatchObject({ type: 'error', error: 'rate_limit_exceeded', id: 'c', retryAfter: 9 })
  expect(v1.sent[1]).toMatchObject({ type: 'tool_result', id: 'd', code: 'agent_offline' })
})

test('[CALL.8] refuses a socket’s own call whose result arrives in chunks, and reads the result to its end', () => {
  const { sent, run, running } = setUp()
  run('a')
  let usedBytes = 0
  const result = new PayloadStream(10, (bytes) => (usedBytes += bytes))
  running.get('a')?.({ kind: 'large', result })
  result.push(Buffer.alloc(10))
  result.finish('ended')
  expect(sent).toMatchObject([{ type: 'tool_result', id: 'a', success: false, code: 'result_too_large' }])
  expect(usedBytes).toBe(10)
})
