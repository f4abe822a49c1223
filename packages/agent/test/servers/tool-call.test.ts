import { codes } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { CLIENT_INFO, ENVELOPE_KEYS, envelopeMeta, withEnvelope } from '../../src/servers/envelope.ts'
import { localOutcome, toolCallParams } from '../../src/servers/tool-call.ts'

const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'bridgekeeper', version: '0.1.0' },
  'io.modelcontextprotocol/clientCapabilities': {},
}
const ENVELOPE_JSON = JSON.stringify(ENVELOPE)

test('[INST.1] introduces the agent in each request to a server of the 2026 era', () => {
  expect(CLIENT_INFO).toEqual(ENVELOPE['io.modelcontextprotocol/clientInfo'])
  expect(ENVELOPE_KEYS.logLevel).toBe('io.modelcontextprotocol/logLevel')
  expect(JSON.parse(String(withEnvelope({ a: 1 })))).toEqual({ a: 1, _meta: ENVELOPE })
})

test.each([
  [undefined, ENVELOPE_JSON],
  ['{}', ENVELOPE_JSON],
  ['{ }', ENVELOPE_JSON],
  ['{"a": 1.0}', `${ENVELOPE_JSON.slice(0, -1)},"a": 1.0}`],
  // Members of the caller with these names are replaced.
  ['{"io.modelcontextprotocol/clientInfo":{"name":"x"}}', ENVELOPE_JSON],
])('[CALL.12] adds the introduction to the _meta of a request as it was written: %s', (meta, expected) => {
  expect(String(envelopeMeta(meta === undefined ? undefined : Buffer.from(meta)))).toBe(expected)
})

test('[CALL.12] [RUN.3] sends arguments and _meta of a call as bytes', () => {
  const call = {
    ...{ serverName: 's', toolName: 'a"b', rawArgs: Buffer.from('{"n": 1.0}') },
    signal: new AbortController().signal,
  }
  const rawMeta = Buffer.from('{"p": 2.0}')
  const head = '{"name":"a\\"b","arguments":{"n": 1.0}'
  expect(String(toolCallParams(call, '2025'))).toBe(`${head}}`)
  expect(String(toolCallParams({ ...call, rawMeta }, '2025'))).toBe(`${head},"_meta":{"p": 2.0}}`)
  expect(String(toolCallParams(call, '2026'))).toBe(`${head},"_meta":${ENVELOPE_JSON}}`)
  expect(String(toolCallParams({ ...call, rawMeta }, '2026'))).toBe(
    `${head},"_meta":${ENVELOPE_JSON.slice(0, -1)},"p": 2.0}}`,
  )
})

test('[RUN.2] passes on a result, in the form of the 2025 era', () => {
  const result = Buffer.from('{"content":[],"resultType":"complete"}')
  expect(localOutcome({ kind: 'result', result }, '2025')).toEqual({ ok: true, result })
  expect(localOutcome({ kind: 'result', result }, '2026')).toEqual({
    ...{ ok: true, result: Buffer.from('{"content":[]}') },
  })
})

test('[RUN.16] fails a call if a server of the 2026 era needs an input of its client', () => {
  const result = Buffer.from('{"resultType":"input_required","inputRequests":{},"requestState":"s"}')
  expect(localOutcome({ kind: 'result', result }, '2026')).toMatchObject({
    ...{ ok: false, code: 'tool_failed' },
    error: 'The server needs an answer of a client that cannot be asked.',
  })
})

test('[RUN.5] [RUN.9] words each other outcome', () => {
  const rpcError = Buffer.from('{"code":1,"message":"no\\u0007"}')
  expect(localOutcome({ kind: 'rpc-error', rpcError, message: 'no\u0007' }, '2025')).toEqual({
    ...{ ok: false, code: 'tool_failed', error: 'no ', rpcError },
  })
  const outcomes = [
    [{ kind: 'cancelled' }, 'call_cancelled', ''],
    [{ kind: 'ended' }, 'server_exited', ''],
    [{ kind: 'full' }, 'too_many_calls', ' The local server does not read its pending requests.'],
    [
      { kind: 'invalid', code: 'result_too_large', detail: 'of its size', text: Buffer.alloc(0) },
      ...(['result_too_large', ' It was dropped, because of its size.'] as const),
    ],
  ] as const
  for (const [outcome, code, more] of outcomes)
    expect(localOutcome(outcome, '2025')).toEqual({ ok: false, code, error: codes[code].message + more })
})
