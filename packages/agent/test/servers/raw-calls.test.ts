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
  const calls = new RawCalls(new ServerInput(input))
  const outcomes: RawOutcome[] = []
  const start = (signal = new AbortController().signal, params = '{}') =>
    calls.start('tools/call', Buffer.from(params), signal).then((outcome) => {
      outcomes.push(outcome)
      return outcome
    })
  const take = (text: string) => calls.take(Buffer.from(text), objectMembers(Buffer.from(text)))
  return { written, input, calls, outcomes, start, take }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

test('[RUN.3] [RUN.4] a request is one line with the bytes of its parameters, and each has an id of its own', () => {
  const { written, start } = setUp()
  void start(undefined, '{"a": 1}')
  void start(undefined, '{"a":\n"x",\r\n"b":2}')
  expect(written).toEqual([
    '{"jsonrpc":"2.0","id":"bk-1","method":"tools/call","params":{"a": 1}}\n',
    '{"jsonrpc":"2.0","id":"bk-2","method":"tools/call","params":{"a": "x",  "b":2}}\n',
  ])
  void start(undefined, '{"a":\r1}')
  expect(written[2]).toBe('{"jsonrpc":"2.0","id":"bk-3","method":"tools/call","params":{"a": 1}}\n')
})

test('[RUN.8] answers reach their own calls in any order, once; a late or strange one reaches none', async () => {
  const { outcomes, start, take } = setUp()
  const [first, second] = [start(), start()]
  expect(take('{"id":"bk-2","result":{"n":2}}')).toBe(true)
  expect(take('{"id":"bk-2","result":{"n":"again"}}')).toBe(true)
  expect(take('{"id":"bk-1","result":{"n":1}}')).toBe(true)
  await Promise.all([first, second])
  expect(
    outcomes.map((outcome) => (outcome.kind === 'result' ? String(outcome.result) : outcome.kind)),
  ).toEqual(['{"n":2}', '{"n":1}'])
  expect(take('{"id":"bk-9","result":{}}')).toBe(true)
  for (const other of [
    '{"id":1,"result":{}}',
    '{"id":"x","result":{}}',
    '{"result":{}}',
    '{"id":"bk-1","method":"m"}',
  ])
    expect(take(other), other).toBe(false)
  expect(outcomes).toHaveLength(2)
})

test.each<[string, string, RawOutcome]>([
  ['{"id":"bk-1","result":[1]}', 'an array', { kind: 'invalid', detail: 'it is not an object' }],
  ['{"id":"bk-1"}', 'neither', { kind: 'invalid', detail: 'it has not one of result and error' }],
  [
    '{"id":"bk-1","result":{},"error":{"code":1,"message":"m"}}',
    'both',
    { kind: 'invalid', detail: 'it has not one of result and error' },
  ],
  [
    '{"id":"bk-1","error":{"code":1.5,"message":"m"}}',
    'a broken code',
    { kind: 'invalid', detail: 'it is an error without a usable code or message' },
  ],
  [
    '{"id":"bk-1","error":{"code":1}}',
    'no message',
    { kind: 'invalid', detail: 'it is an error without a usable code or message' },
  ],
  [
    '{"id":"bk-1","error":"text"}',
    'text',
    { kind: 'invalid', detail: 'it is an error without a usable code or message' },
  ],
  [
    '{"id":"bk-1","error":{"code":-1,"message":"m"}}',
    'an error',
    { kind: 'rpc-error', rpcError: Buffer.from('{"code":-1,"message":"m"}'), message: 'm' },
  ],
])('[RUN.5] [RUN.6] the answer %s (%s) ends its call so', async (line, _what, expected) => {
  const { start, take } = setUp()
  const ended = start()
  expect(take(line)).toBe(true)
  expect(await ended).toEqual(expected)
})

test('[RUN.6] an answer that breaks a bound of the wire is still known for one of ours', async () => {
  const { start, take } = setUp()
  const deep = `${'['.repeat(100)}${']'.repeat(100)}`
  const ended = start()
  expect(take(`{"id":"bk-1","result":{"x":${deep}}}`)).toBe(true)
  expect(await ended).toMatchObject({ kind: 'invalid', parsed: { value: { x: expect.anything() } } })
  for (const other of [
    `{"id":"x","result":${deep}}`,
    `{"id":1,"result":${deep}}`,
    `{"id":"bk-1","method":"m","params":${deep}}`,
    deep,
    'x',
    '{',
  ])
    expect(take(other), other.slice(0, 20)).toBe(false)
})

test('[RUN.7] a call that is cancelled ends at once, the server is told by its id, and its late answer is dropped', async () => {
  const { written, start, take, outcomes } = setUp()
  for (let n = 1; n <= 2; n++) {
    const abort = new AbortController()
    const ended = start(abort.signal)
    abort.abort()
    expect(await ended).toEqual({ kind: 'cancelled' })
    expect(JSON.parse(written.at(-1) ?? '')).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId: `bk-${n}`, reason: 'The caller no longer waits.' },
    })
    expect(written.at(-1)?.endsWith('}\n')).toBe(true)
    expect(take(`{"id":"bk-${n}","result":{}}`)).toBe(true)
  }
  await settled()
  expect(outcomes).toHaveLength(2)
})

test('[RUN.7] what was cancelled before is not sent, and what has ended is not cancelled', async () => {
  const { written, start, take } = setUp()
  expect(await start(AbortSignal.abort())).toEqual({ kind: 'cancelled' })
  expect(written).toEqual([])
  const abort = new AbortController()
  const ended = start(abort.signal)
  take('{"id":"bk-1","result":{}}')
  await ended
  abort.abort()
  expect(written).toHaveLength(1)
})

test('[STDIO.7] a call is sent while 64 MiB wait, refused while more do, and sent again when they were read', async () => {
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

test('[RUN.9] when the server ends all calls end, those to come as well, and nothing is sent any more', async () => {
  const { written, calls, start } = setUp()
  const both = Promise.all([start(), start()])
  calls.endAll()
  expect(await both).toEqual([{ kind: 'ended' }, { kind: 'ended' }])
  expect(await start()).toEqual({ kind: 'ended' })
  calls.endAll()
  expect(written).toHaveLength(2)
})

test('[STDIO.3] bytes that are no UTF-8 become replacement characters in results and errors', async () => {
  const { calls, start } = setUp()
  const bytes = Buffer.concat([
    Buffer.from('{"id":"bk-1","result":{"x":"'),
    Buffer.from([0xff]),
    Buffer.from('"}}'),
  ])
  const ended = start()
  expect(calls.take(bytes, objectMembers(bytes))).toBe(true)
  const outcome = await ended
  expect(outcome.kind === 'result' && String(outcome.result)).toBe('{"x":"\ufffd"}')
})

test('[TOOLS.3] a result is looked into where it is an object within the bounds', () => {
  expect(parseResult(Buffer.from('{"a":1}'))).toEqual({ a: 1 })
  for (const text of ['[1]', '1', '{', '{"__proto__":1}'])
    expect(parseResult(Buffer.from(text)), text).toBeUndefined()
})
