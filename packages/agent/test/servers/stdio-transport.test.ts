import { limits } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { settled } from '../support/fake-child.ts'
import { fakeTransport } from '../support/fake-transport.ts'

const IGNORED = 'a line of its standard output was ignored, because it is not a JSON-RPC message'

test('[INST.4] hands on requests and notifications with their id and parameters, and answers a ping', async () => {
  const { child, messages, transport } = fakeTransport()
  const sent = [
    '{"jsonrpc":"2.0","id":"a","method":"roots/list","params":{"x":1.0}}',
    '{"jsonrpc":"2.0","id":-5,"method":"sampling/createMessage","params":[1]}',
    '{"jsonrpc":"2.0","id":null,"method":"notifications/message"}',
    // A ping without an id expects no answer.
    '{"jsonrpc":"2.0","method":"ping"}',
    '{"jsonrpc":"2.0","id":7,"method":"ping"}',
  ]
  for (const line of sent) child.write(line)
  await settled()
  const shown = messages.map(({ method, id, params }) => [method, id && String(id), params && String(params)])
  expect(shown).toEqual([
    ['roots/list', '"a"', '{"x":1.0}'],
    ['sampling/createMessage', '-5', undefined],
    ['notifications/message', undefined, undefined],
    ['ping', undefined, undefined],
  ])
  expect(messages.map(({ raw }) => String(raw))).toEqual(sent.slice(0, 4))
  expect(child.lines).toEqual([{ jsonrpc: '2.0', id: 7, result: {} }])
  expect([transport.isRunning, transport.ignoredLines]).toEqual([true, 0])
})

test.each([
  '{"jsonrpc":"2.0","id":{},"method":"roots/list"}',
  '{"jsonrpc":"2.0","id":["1"],"method":"roots/list"}',
  '{"jsonrpc":"2.0","id":true,"method":"roots/list"}',
  '{"jsonrpc":"2.0","id":1,"method":5}',
  '{"id":1,"method":"GET"}',
  // It repeats our own request.
  '{"jsonrpc":"2.0","id":1,"method":"tools/call"}',
])('[STDIO.1] ignores a line that only looks like a request: %s', async (line) => {
  const { child, messages, ignored, transport, call } = fakeTransport()
  void call()
  child.write(line)
  await settled()
  expect([messages, ignored, transport.ignoredLines]).toEqual([[], [[IGNORED, '{…']], 1])
})

test('[STDIO.10] ignores a request of ours that a terminal repeats, and a ping only among other text', async () => {
  const { child, messages, ignored, transport } = fakeTransport()
  const { signal } = new AbortController()
  void transport.call('ping', undefined, signal)
  void transport.call('tasks/list', undefined, signal)
  void transport.call('x/ping', undefined, signal)
  const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
  child.write(`> ${ping}`)
  child.write('> {"jsonrpc":"2.0","id":"3","method":"x/ping"}')
  child.write('{"jsonrpc":"2.0","id":3,"method":"x/ping"}')
  await settled()
  expect(ignored.map(([, text]) => text)).toEqual(['> {…', '> {…', '{…'])
  // These are requests of the server.
  child.write(ping)
  child.write('{"jsonrpc":"2.0","id":"x","method":"x/ping"}')
  child.write('{"jsonrpc":"2.0","id":4,"method":"x/ping"}')
  child.write('{"jsonrpc":"2.0","id":2,"method":"tasks/list"}')
  child.write('{"jsonrpc":"2.0","id":3,"method":"roots/list"}')
  await settled()
  expect(child.lines.at(-1)).toEqual({ jsonrpc: '2.0', id: 1, result: {} })
  expect(messages.map(({ method, id }) => `${method} ${id}`)).toEqual([
    'x/ping "x"',
    'x/ping 4',
    'tasks/list 2',
    'roots/list 3',
  ])
})

test.each([
  ['plain text', 'plain text'],
  ['\u001b[32mgreen\u001b[0m and secret', 'green and [hidden]'],
  ['data {"a":1} more', 'data {…'],
  ['list [ {"a":1}', 'list {…'],
  ['list ["a"]', 'list {…'],
  ['[12:00] text [1]', '[12:00] text [1]'],
  ['  blanks  ', 'blanks'],
  ['x'.repeat(1_000), 'x'.repeat(200)],
  [`${' '.repeat(790)}${'y'.repeat(100)}`, 'y'.repeat(10)],
])(
  '[STDIO.10] shows the beginning of an ignored line, without colours, secrets and data: %#',
  async (line, shown) => {
    const { child, ignored, transport } = fakeTransport()
    child.write(line)
    await settled()
    expect([ignored, transport.ignoredLines]).toEqual([[[IGNORED, shown]], 1])
  },
)

test('[STDIO.12] reads a message without a newline after 200 ms of silence', async () => {
  for (const end of ['', '\r']) {
    const { child, system, call } = fakeTransport()
    const answered = call()
    child.stdout.write(`{"jsonrpc":"2.0","id":1,"result":{}`)
    await settled()
    await system.advance(500)
    child.stdout.write(`}${end}`)
    await settled()
    let isOver = false
    void answered.then(() => {
      isOver = true
    })
    await system.advance(199)
    expect(isOver).toBe(false)
    await system.advance(1)
    expect(await answered).toMatchObject({ kind: 'result' })
  }
})

test('[STDIO.12] waits for the rest of a text that is not a whole message yet', async () => {
  const { child, system, call } = fakeTransport()
  const answered = [call(), call()]
  child.stdout.write('{"jsonrpc":"2.0","id":1,"result":{"a":{}')
  await settled()
  await system.advance(200)
  child.stdout.write('}}')
  await settled()
  await system.advance(150)
  // More output within the time: the newline came late.
  child.stdout.write('\n{"jsonrpc":"2.0","id":2,"result":{"b"')
  await settled()
  await system.advance(500)
  child.stdout.write(':1}}\n')
  expect(await Promise.all(answered)).toEqual(
    ['{"a":{}}', '{"b":1}'].map((json) => ({ kind: 'result', result: Buffer.from(json) })),
  )
})

test('[STDIO.12] reads messages without newlines together, once, after the last of them', async () => {
  const { child, system, messages } = fakeTransport()
  const ping = (id: number) => `{"jsonrpc":"2.0","id":${id},"method":"ping"}`
  for (const waitMs of [150, 199, 1]) {
    if (waitMs > 1) child.stdout.write(ping(waitMs))
    await settled()
    expect(child.lines).toEqual([])
    await system.advance(waitMs)
  }
  const pongs = [150, 199].map((id) => ({ jsonrpc: '2.0', id, result: {} }))
  expect(child.lines).toEqual(pongs)
  child.write('')
  child.write('{"jsonrpc":"2.0","method":"last"}')
  await settled()
  expect([child.lines, messages.length]).toEqual([pongs, 1])
})

test('[STDIO.12] reads the text that a server leaves at its end, and no text of a server that was given up', async () => {
  const { child, system, transport, call } = fakeTransport()
  const answered = call()
  child.stdout.write('{"jsonrpc":"2.0","id":1,"result":{}} ')
  await settled()
  // Behind a chunk that does not end a message, silence says nothing.
  await system.advance(10_000)
  expect(await Promise.race([answered, 'waits'])).toBe('waits')
  child.end(0)
  expect(await answered).toMatchObject({ kind: 'result' })
  expect([await transport.ended, transport.isRunning]).toEqual([{ kind: 'exited', exitCode: 0 }, false])
  const other = fakeTransport()
  other.child.stdout.write('rest')
  await settled()
  const cut = other.call()
  other.child.endsWithInput = false
  other.transport.fail('of a test')
  other.transport.fail('of another')
  expect([await cut, other.transport.isRunning]).toEqual([{ kind: 'ended' }, true])
  other.child.write('late')
  await settled()
  other.child.end(0)
  expect(await other.transport.ended).toEqual({ kind: 'broken', detail: 'of a test' })
  expect([other.ignored, other.child.exitCode]).toEqual([[], 0])
  expect(await other.call()).toEqual({ kind: 'ended' })
})

test('[STDIO.4] fails the call of a line over 64 MiB, and reports one that answers nothing', async () => {
  const { child, ignored, call } = fakeTransport()
  const answered = call()
  const filler = Buffer.alloc(limits.payloadBytes, 'x')
  for (const head of ['{"jsonrpc":"2.0","id":1,"result":{"x":"', 'log ']) {
    child.stdout.write(head)
    child.stdout.write(filler)
    child.write('')
    await settled()
  }
  expect(await answered).toMatchObject({ code: 'result_too_large' })
  expect(ignored).toEqual([
    [`an answer was dropped, because it has more than ${limits.payloadBytes} bytes`, ''],
    [
      `a line of its standard output was ignored, because it has ${limits.payloadBytes + 4} bytes, too many to keep`,
      `log ${'x'.repeat(196)}`,
    ],
  ])
})

test('[STDIO.12] holds no memory of a server that has ended', async () => {
  // A long line, and the lines of a message.
  for (const text of ['x'.repeat(4_000_000), '{\n"id":1,\n']) {
    const { child, held, transport } = fakeTransport()
    child.stdout.write(text)
    await settled()
    expect(held.bytes).toBeGreaterThan(0)
    child.end(0)
    await transport.ended
    expect(held.bytes).toBe(0)
  }
})

test('[STDIO.8] gives up a server that leaves more than 1 MiB of answers unread', async () => {
  const { child, transport } = fakeTransport()
  child.stdin.pause()
  const answer = Buffer.from(`{"x":"${'x'.repeat(60_000)}"}`)
  for (let count = 0; count < 40; count++) transport.answer(Buffer.from('1'), 'result', answer)
  child.stdin.resume()
  expect(await transport.ended).toEqual({
    ...{ kind: 'broken', detail: 'it does not read the answers to its own requests' },
  })
})

test('[RUN.13] takes an answer without an id for that of a notification which was just sent', async () => {
  const { child, transport, call, ignored } = fakeTransport()
  transport.notify('notifications/x')
  const answered = call()
  child.write('{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"no"}}')
  child.answer(1, {})
  expect(await answered).toMatchObject({ kind: 'result' })
  expect(ignored).toEqual([['an answer without an id was dropped', '']])
})
