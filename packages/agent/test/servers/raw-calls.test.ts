import { objectMembers } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { parseResult, RawCalls, type RawOutcome } from '../../src/servers/raw-calls.ts'
import { ServerInput } from '../../src/servers/server-input.ts'

const MAX_QUEUED_BYTES = 64 * 1_048_576

function setUp() {
  const written: string[] = []
  const input = {
    queued: 0,
    write: (line: Buffer) => void written.push(String(line)),
    queuedBytes: () => input.queued,
  }
  const dropped: string[] = []
  const calls = new RawCalls(new ServerInput(input), (reason) => dropped.push(reason))
  const outcomes: RawOutcome[] = []
  const start = (signal = new AbortController().signal, params = '{}') =>
    calls.start('tools/call', Buffer.from(params), signal).then((outcome) => {
      outcomes.push(outcome)
      return outcome
    })
  const take = (text: string) => {
    const members = objectMembers(Buffer.from(text))
    return members === undefined
      ? calls.takeBroken(Buffer.from(text))
      : calls.take(Buffer.from(text), members)
  }
  return { written, input, calls, outcomes, dropped, start, take }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

test('[RUN.3] [RUN.4] writes a request in one line with the bytes of its parameters and its own id', () => {
  const { written, start } = setUp()
  void start(undefined, '{"a": 1}')
  void start(undefined, '{"a":\n"x",\r\n"b":2}')
  expect(written).toEqual([
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"a": 1}}\n',
    '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"a": "x",  "b":2}}\n',
  ])
  void start(undefined, '{"a":\r1}')
  expect(written[2]).toBe('{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"a": 1}}\n')
})

test('[RUN.8] matches answers to calls in any order, once, and ignores late or foreign ones', async () => {
  const { outcomes, start, take } = setUp()
  const [first, second] = [start(), start()]
  expect(take('{"id":2,"result":{"n":2}}')).toBe(true)
  expect(take('{"id":2,"result":{"n":"again"}}')).toBe(true)
  expect(take('{"id":1,"result":{"n":1}}')).toBe(true)
  await Promise.all([first, second])
  expect(
    outcomes.map((outcome) => (outcome.kind === 'result' ? String(outcome.result) : outcome.kind)),
  ).toEqual(['{"n":2}', '{"n":1}'])
  expect(take('{"id":9,"result":{}}')).toBe(true)
  for (const other of [
    '{"id":"x","result":{}}',
    '{"id":1.5,"result":{}}',
    '{"id":" 1","result":{}}',
    '{"id":"1 ","result":{}}',
    '{"id":"1e0","result":{}}',
    '{"jsonrpc":"2.0","x":1}',
    '{"id":{},"result":{}}',
    '{"result":{}}',
    '{"id":1,"method":"m"}',
  ])
    expect(take(other), other).toBe(false)
  expect(outcomes).toHaveLength(2)
})

const invalid = (detail: string) =>
  expect.objectContaining({ kind: 'invalid', code: 'result_invalid', detail })
const rpcError = (error: string, message: string) => ({
  kind: 'rpc-error',
  rpcError: Buffer.from(error),
  message,
})
const result = (json: string) => ({ kind: 'result', result: Buffer.from(json) })

test.each<[string, unknown]>([
  ['{"id":1,"result":[1]}', invalid('its result is not an object')],
  ['{"id":1,"result":"text"}', invalid('its result is not an object')],
  ['{"id":1,"result":null}', invalid('it has neither a result nor an error')],
  ['{"jsonrpc":"2.0","id":1}', invalid('it has neither a result nor an error')],
  ['{"id":1,"result":{},"error":{"code":1,"message":"m"}}', invalid('it has both a result and an error')],
  ['{"id":1,"result":{"n":1.0},"error":null}', result('{"n":1.0}')],
  ['{"result":{},"id":"1"}', result('{}')],
  ...['false', '0', '""', '{}', '[]'].map(
    (none) => [`{"id":1,"error":${none},"result":{}}`, result('{}')] as [string, unknown],
  ),
  ['{"jsonrpc":"2.0","id":1,"method":null,"params":null,"result":{},"error":null}', result('{}')],
  ['{"jsonrpc":"2.0","id":1,"method":"","result":{}}', result('{}')],
  [
    '{"id":1,"error":{}}',
    rpcError('{"code":-32603,"message":"The server gave no message."}', 'The server gave no message.'),
  ],
  ['{"id":1.0,"result":{}}', result('{}')],
  ['{"id":null,"result":{}}', result('{}')],
  ['{"jsonrpc":"1.0","id":1,"result":{},"extra":[1]}', result('{}')],
  ['{"id":1,"result":null,"error":{"code":-1,"message":"m"}}', rpcError('{"code":-1,"message":"m"}', 'm')],
  ['{"id":1,"error":{"code":-1, "message":"m"}}', rpcError('{"code":-1, "message":"m"}', 'm')],
  ['{"jsonrpc":"2.0","result":{}}', result('{}')],
  ['{"jsonrpc":"2.0","error":{"code":-32700,"message":"m"}}', rpcError('{"code":-32700,"message":"m"}', 'm')],
  ['{"id":1,"error":{"code":1.5,"message":"m"}}', rpcError('{"code":-32603,"message":"m"}', 'm')],
  ['{"id":1,"error":{"code":"-32602","message":"m"}}', rpcError('{"code":-32602,"message":"m"}', 'm')],
  [
    '{"id":1,"error":{"message":"m","data":{"a":1}}}',
    rpcError('{"code":-32603,"message":"m","data":{"a":1}}', 'm'),
  ],
  [
    '{"id":1,"error":{"code":1}}',
    rpcError('{"code":1,"message":"The server gave no message."}', 'The server gave no message.'),
  ],
  ['{"id":1,"error":"text"}', rpcError('{"code":-32603,"message":"text"}', 'text')],
])('[RUN.5] [RUN.13] ends the call of the answer %s with its full meaning', async (line, expected) => {
  const { start, take, dropped } = setUp()
  const ended = start()
  expect(take(line)).toBe(true)
  const outcome = await ended
  expect(outcome).toEqual(expected)
  expect(dropped).toEqual(
    outcome.kind === 'invalid' ? [`an answer was dropped, because ${outcome.detail}`] : [],
  )
})

test('[RUN.13] gives an answer without an id to the only waiting request, and to none of several', async () => {
  const { start, take, outcomes, dropped } = setUp()
  const both = [start(), start()]
  expect(take('{"id":null,"error":{"code":-32700,"message":"m"}}')).toBe(true)
  await settled()
  expect(outcomes).toEqual([])
  expect(dropped).toEqual(['an answer without an id was dropped'])
  expect(take('{"id":2,"result":{}}')).toBe(true)
  expect(take('{"jsonrpc":"2.0","error":"m"}')).toBe(true)
  await Promise.all(both)
  expect(outcomes.map(({ kind }) => kind)).toEqual(['result', 'rpc-error'])
})

test.each([
  '{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"no such method"}}',
  '{"jsonrpc":"2.0","error":"no such method"}',
  '{"jsonrpc":"2.0","id":null,"result":{}}',
])('[RUN.13] ignores the answer to a notification: %s', async (line) => {
  const { calls, start, take, outcomes, dropped } = setUp()
  void start()
  take('{"jsonrpc":"2.0","id":1,"result":{}}')
  calls.notified()
  const listed = start()
  expect(take(line)).toBe(true)
  await settled()
  expect(outcomes).toHaveLength(1)
  expect(dropped).toEqual(['an answer without an id was dropped'])
  take('{"jsonrpc":"2.0","id":2,"result":{}}')
  expect(await listed).toMatchObject({ kind: 'result' })
  const last = start()
  take(line)
  await last
  expect(outcomes).toHaveLength(3)
})

test('[RUN.13] ignores an answer to a cancellation', async () => {
  const { start, take, outcomes } = setUp()
  const abort = new AbortController()
  const cancelled = start(abort.signal)
  void start()
  abort.abort()
  await cancelled
  take('{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"no such method"}}')
  await settled()
  expect(outcomes).toHaveLength(1)
})

test.each([
  '{"level":"error","error":"cache miss","msg":"went on"}',
  '{"level":"info","id":1,"msg":"a row"}',
  '{"result":42}',
])('[STDIO.1] takes no log line in JSON for the answer of a waiting request: %s', async (line) => {
  const { start, take, outcomes } = setUp()
  const ended = start()
  expect(take(line)).toBe(false)
  await settled()
  expect(outcomes).toEqual([])
  take('{"jsonrpc":"2.0","id":1,"result":{}}')
  expect(await ended).toMatchObject({ kind: 'result' })
})

test.each([0, 2, -1])('[RUN.14] reports an answer with the id of no request: %s', (id) => {
  const { start, take, dropped } = setUp()
  void start()
  expect(take(`{"jsonrpc":"2.0","id":${id},"result":{}}`)).toBe(true)
  expect(dropped).toEqual(['an answer with the id of no request was dropped'])
})

const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

test.each([
  ['{"jsonrpc":"2.0","id":1,"result":{"a":NaN}}', 'result_invalid', 'it is not valid JSON'],
  ['{"jsonrpc":"2.0","id":1,"result":{"a":-Infinity}}', 'result_invalid', 'it is not valid JSON'],
  ['{"jsonrpc":"2.0","id":1,"result":tru}', 'result_invalid', 'it is not valid JSON'],
  ['{"jsonrpc":"2.0","id":1,"result":{"a":"\t"}}', 'result_invalid', 'it is not valid JSON'],
  ['{"jsonrpc":"2.0","id":1,"result":{"a":"cut', 'result_invalid', 'it is not valid JSON'],
  ['{"result":{"a":01},"id":1,"jsonrpc":"2.0"}', 'result_invalid', 'it is not valid JSON'],
  ['{"result":{"a":01},"id":"1"} ', 'result_invalid', 'it is not valid JSON'],
  ['{"result":{},"id":1,}', 'result_invalid', 'it is not valid JSON'],
  ['{"result":01 ,  "id"  :  "1"  ,  "jsonrpc"  :  "2.0"  ,  }  ', 'result_invalid', 'it is not valid JSON'],
  ["  {  'id'  : 1, 'jsonrpc': '2.0', 'result': None}", 'result_invalid', 'it is not valid JSON'],
  [`{error : "${'x'.repeat(600)}", "jsonrpc": 'result', "result":`, 'result_invalid', 'it is not valid JSON'],
  ['{"jsonrpc":"2.0","id":1,"method":null,"result":NaN}', 'result_invalid', 'it is not valid JSON'],
  ["{'jsonrpc': '2.0', 'id': 1, 'result': {'ok': True}}", 'result_invalid', 'it is not valid JSON'],
  ['{"result":{},/* c */"id":1,"jsonrpc":"2.0"}', 'result_invalid', 'it is not valid JSON'],
  ['{jsonrpc:"2.0",id:1,"error":{}}', 'result_invalid', 'it is not valid JSON'],
  ['{"id":1,"result":{},"result":{}}', 'result_invalid', 'it has a duplicate member'],
])('[RUN.14] fails the call of an unreadable answer with the reason: %s', async (line, code, detail) => {
  const { start, take } = setUp()
  const ended = start()
  expect(take(line)).toBe(true)
  expect(await ended).toMatchObject({ kind: 'invalid', code, detail })
})

test('[RUN.14] ignores an unreadable answer without an id while several requests wait', async () => {
  const { start, take, outcomes } = setUp()
  void start()
  void start()
  expect(take("{'jsonrpc': '2.0', 'id': 1, 'result': {}}")).toBe(false)
  await settled()
  expect(outcomes).toEqual([])
})

test('[RUN.14] ignores broken text that names no waiting request', () => {
  const { start, take } = setUp()
  void start()
  for (const other of [
    '{"id":2,"result":{"a":NaN}}',
    '{"id":1,"method":"m","params":{"a":NaN}}',
    '{"result":{"a":NaN,"id":1}}',
    "{'jsonrpc': '2.0', 'id': 1, 'method': 'm', 'params': {'result': 1}}",
    "{'level': 'info', 'jsonrpc': '2.0', 'result': 1}",
    nested(1_001),
    'x',
    '{',
  ])
    expect(take(other), other.slice(0, 40)).toBe(false)
})

test.each([
  ['{"jsonrpc":"2.0","id":1,"result":{"x":"', 'xxx"}}', true],
  ['{"result":{"x":"', '"},"id":1}', true],
  ['{"result":{"x":"', '"},"id":1,"jsonrpc":"2.0"}\r', true],
  ['{"result":{"x":"', '","id":1}}', false],
  ['{"jsonrpc":"2.0","id":1,"method":"m","params":{"x":"', '"}}', false],
  ['{"jsonrpc":"2.0","id":7,"result":{"x":"', '"}}', false],
])('[STDIO.4] fails the call that a too long line names: %s … %s', async (head, tail, isOurs) => {
  const { start, calls } = setUp()
  const ended = start()
  const line = { head: Buffer.from(head.padEnd(200, 'x')), tail: Buffer.from(tail), bytes: 1_000 }
  expect(calls.takeLong({ ...line, isTooLong: true }, 500)).toBe(isOurs)
  if (isOurs)
    expect(await ended).toMatchObject({ code: 'result_too_large', detail: 'it has more than 500 bytes' })
})

test('[BIG.6] fails the call of a line for which there is no memory, with the reason', async () => {
  const { start, calls } = setUp()
  const ended = start()
  const head = Buffer.from('{"jsonrpc":"2.0","id":1,"result":{"x":"')
  calls.takeLong({ head, tail: head, bytes: 1_000, isTooLong: false }, 500)
  expect(await ended).toMatchObject({ code: 'result_too_large', detail: expect.stringContaining('memory') })
})

test('[RUN.7] ends a cancelled call at once, notifies the server by its id, and drops its late answer', async () => {
  const { written, start, take, outcomes } = setUp()
  for (let n = 1; n <= 2; n++) {
    const abort = new AbortController()
    const ended = start(abort.signal)
    abort.abort()
    expect(await ended).toEqual({ kind: 'cancelled' })
    expect(JSON.parse(written.at(-1) ?? '')).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId: n, reason: 'The caller no longer waits.' },
    })
    expect(written.at(-1)?.endsWith('}\n')).toBe(true)
    expect(take(`{"id":${n},"result":{}}`)).toBe(true)
  }
  await settled()
  expect(outcomes).toHaveLength(2)
})

test('[RUN.7] does not send a call cancelled before, or cancel an ended one', async () => {
  const { written, start, take } = setUp()
  expect(await start(AbortSignal.abort())).toEqual({ kind: 'cancelled' })
  expect(written).toEqual([])
  const abort = new AbortController()
  const ended = start(abort.signal)
  take('{"id":1,"result":{}}')
  await ended
  abort.abort()
  expect(written).toHaveLength(1)
})

test('[STDIO.7] sends a call while 64 MiB wait, refuses it while more do, and sends again once they are read', async () => {
  const { written, input, start } = setUp()
  for (let time = 0; time < 2; time++) {
    input.queued = MAX_QUEUED_BYTES
    void start()
    expect(written).toHaveLength(2 * time + 1)
    input.queued = MAX_QUEUED_BYTES + 1
    expect(await start()).toEqual({ kind: 'full' })
    input.queued = 0
    void start()
    expect(written).toHaveLength(2 * time + 2)
  }
})

test('[RUN.9] ends all calls when the server ends, and refuses and sends no further ones', async () => {
  const { written, calls, start } = setUp()
  const both = Promise.all([start(), start()])
  calls.endAll()
  expect(await both).toEqual([{ kind: 'ended' }, { kind: 'ended' }])
  expect(await start()).toEqual({ kind: 'ended' })
  calls.endAll()
  expect(written).toHaveLength(2)
})

test('[STDIO.3] refuses an answer that is not UTF-8', async () => {
  const { calls, start } = setUp()
  const bytes = Buffer.concat([Buffer.from('{"id":1,"result":{"x":"'), Buffer.of(0xff), Buffer.from('"}}')])
  const ended = start()
  expect(calls.take(bytes, objectMembers(bytes) ?? new Map())).toBe(true)
  expect(await ended).toMatchObject({ code: 'result_invalid', detail: 'it is not UTF-8' })
})

test('[TOOLS.3] reads a result that is an object', () => {
  expect(parseResult(Buffer.from('{"a":1}'))).toEqual({ a: 1 })
  for (const text of ['[1]', '1', '{']) expect(parseResult(Buffer.from(text)), text).toBeUndefined()
})

test('[RUN.14] finds an id of several digits at the end of a broken answer', async () => {
  const { start, take } = setUp()
  const waiting = Array.from({ length: 123 }, () => start())
  expect(take('{"result":{"a":01},"id":123}')).toBe(true)
  expect(take('{"result":{"a":01},"id":"122"}')).toBe(true)
  expect(await Promise.all(waiting.slice(-2))).toMatchObject([{ kind: 'invalid' }, { kind: 'invalid' }])
  expect(take('{"result":{"a":01},"id":121}x')).toBe(false)
})
