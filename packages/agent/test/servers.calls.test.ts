import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { scratch } from '../../../test/support/scratch.ts'
import { ServerInput } from '../src/servers/server-input.ts'
import { ODD_RESULT } from './fixtures/odd-result.ts'
import { fixture, published, runReady, runServers } from './support/local.ts'

test('[RUN.1] calls a tool of the published servers everything, filesystem and memory', async () => {
  const folder = scratch()
  writeFileSync(join(folder, 'a.txt'), 'from a file')
  const { servers, event } = runServers([
    published('everything'),
    published('filesystem', folder),
    published('memory'),
  ])
  await event('server-ready', 3)
  const call = async (serverName: string, toolName: string, args: unknown) => {
    const rawArgs = Buffer.from(JSON.stringify(args))
    const outcome = await servers.call({
      serverName,
      toolName,
      rawArgs,
      signal: new AbortController().signal,
    })
    return outcome.ok ? outcome.result.toString('utf8') : outcome.code
  }

  expect(await call('everything', 'echo', { message: 'hi' })).toBe(
    '{"content":[{"type":"text","text":"Echo: hi"}]}',
  )
  expect(await call('filesystem', 'read_text_file', { path: join(folder, 'a.txt') })).toContain('from a file')
  expect(await call('memory', 'read_graph', {})).toContain('entities')
})

test('[RUN.2] passes on a result as the server’s own bytes', async () => {
  const { call } = await runReady(fixture('server'))
  const outcome = await call('odd')
  expect(outcome.ok && outcome.result.toString('utf8')).toBe(ODD_RESULT)
})

test('[RUN.3] passes on arguments as received bytes', async () => {
  const { call, text } = await runReady(fixture('server'))
  await call('odd', Buffer.from('{ "n": 123456789012345678901,"é":"\\u00e9" }'))
  expect(JSON.parse(await text('lines')).at(-2)).toContain(
    '"arguments":{ "n": 123456789012345678901,"é":"\\u00e9" }}}',
  )
})

test('[CALL.12] passes on _meta as received bytes, in one line', async () => {
  const { servers, text } = await runReady(fixture('server'))
  const rawMeta = Buffer.from('{ "n":12345678901234567890,\n"a":"\\u00e9","__proto__":1.0 }')
  const call = { serverName: 'fixture', toolName: 'odd', rawArgs: Buffer.from('{}'), rawMeta }
  await servers.call({ ...call, signal: new AbortController().signal })
  expect(JSON.parse(await text('lines')).at(-2)).toContain(
    `"arguments":{},"_meta":${String(rawMeta).replace('\n', ' ')}}}`,
  )
})

test('[EXCH.21] gives the server no progress token of a call in the short form', async () => {
  const { servers, text } = await runReady(fixture('server'))
  const rawMeta = Buffer.from('{"a":1.0,"progress\\u0054oken":1}')
  const call = { serverName: 'fixture', toolName: 'odd', rawArgs: Buffer.from('{}'), rawMeta }
  await servers.call({ ...call, signal: new AbortController().signal })
  expect(JSON.parse(await text('lines')).at(-2)).toContain('"arguments":{},"_meta":{"a":1.0}}')
})

test('[RUN.4] does not let a newline in the arguments start a second message', async () => {
  const { call, text } = await runReady(fixture('server'))
  const smuggled = '{"jsonrpc":"2.0","id":99,"method":"tools/call","params":{"name":"exit"}}'
  for (const newline of ['\n', '\r', '\r\n']) {
    const outcome = await call('odd', Buffer.from(`{"a":${newline}${smuggled}${newline}}`))
    expect(outcome.ok).toBe(true)
  }
  const lines: string[] = JSON.parse(await text('lines'))
  expect(lines.filter((line) => line.startsWith('{"jsonrpc":"2.0","id":99'))).toEqual([])
  expect(lines.filter((line) => line.includes('"id":99'))).toHaveLength(3)
  expect(lines.some((line) => line.includes('\r'))).toBe(false)
})

test('[RUN.5] passes on a server’s JSON-RPC error, and its message without control characters', async () => {
  const { call } = await runReady(fixture('server'))
  const outcome = await call('error')
  expect(outcome).toMatchObject({ ok: false, code: 'tool_failed', error: 'No such [31m thing' })
  expect(!outcome.ok && JSON.parse(outcome.rpcError?.toString('utf8') ?? '')).toMatchObject({ code: -32_602 })
})

test.each(['not-an-object', 'duplicate-keys', 'bad-utf8'])(
  '[RUN.6] fails a call with result_invalid when its answer is no result: %s',
  async (toolName) => {
    const { call, text } = await runReady(fixture('server'))
    expect(await call(toolName)).toMatchObject({ ok: false, code: 'result_invalid' })
    expect(await text('pid')).toMatch(/^\d+$/)
  },
)

test('[RUN.7] ends a cancelled call at once, notifies the server, and drops its late answer', async () => {
  const { call, text } = await runReady(fixture('server'))
  const abort = new AbortController()
  const hanging = call('hang', {}, abort.signal)
  abort.abort()
  expect(await hanging).toMatchObject({ ok: false, code: 'call_cancelled' })
  const lines: string[] = JSON.parse(await text('lines'))
  const request = lines.findLast((line) => line.includes('"name":"hang"')) ?? ''
  const cancelled = lines.find((line) => line.includes('notifications/cancelled')) ?? ''
  expect(JSON.parse(cancelled).params.requestId).toBe(JSON.parse(request).id)
  expect(await call('hang', {}, AbortSignal.abort())).toMatchObject({ ok: false, code: 'call_cancelled' })
})

test('[RUN.8] matches answers to their calls in any order', async () => {
  const { call, text } = await runReady(fixture('server'))
  const abort = new AbortController()
  const hanging = call('hang', {}, abort.signal)
  const lengths = await Promise.all([1, 200, 30, 4_000].map((n) => text('length', { a: 'x'.repeat(n) })))
  expect(lengths).toEqual(['9', '208', '38', '4008'])
  abort.abort()
  await hanging
})

test('[RUN.9] fails a call with server_exited when its server ends', async () => {
  const { call, event } = await runReady(fixture('server'))
  const both = await Promise.all([call('hang'), call('exit')])
  expect(both.map((outcome) => !outcome.ok && outcome.code)).toEqual(['server_exited', 'server_exited'])
  expect(await event('server-exited')).toMatchObject({ reason: 'It ended with exit code 3.' })
})

test('[RUN.10] accepts an answer written just before the server ends', async () => {
  const { text } = await runReady(fixture('server'))
  expect(await text('answer-and-exit')).toBe('last words')
})

test('[RUN.11] fails with server_unavailable and the reason if the server is not ready, and with server_not_found if unknown', async () => {
  const { call, servers, event } = runServers([fixture('starts', 'dies')])
  expect(await call('x')).toMatchObject({ ok: false, code: 'server_unavailable' })
  await event('server-failed')
  expect(await call('x')).toMatchObject({ error: expect.stringContaining('exit code 7') })
  const { signal } = new AbortController()
  const unknown = { serverName: '__proto__', toolName: 'x', rawArgs: Buffer.from('{}'), signal }
  expect(await servers.call(unknown)).toMatchObject({ ok: false, code: 'server_not_found' })
})

test('[RUN.12] answers requests of the server, even under the id of a call', async () => {
  const { text } = await runReady(fixture('server'))
  expect(JSON.parse(await text('ping'))).toEqual({ jsonrpc: '2.0', id: 1, result: {} })
})

test('[STDIO.1] skips and counts lines on standard output that are no messages', async () => {
  const { text, call, event } = await runReady(fixture('server'))
  expect(await text('garbage')).toBe('after garbage')
  await call('exit')
  expect(await event('server-exited')).toMatchObject({ ignoredLines: 6 })
})

test('[STDIO.2] keeps a character whole that arrives in pieces', async () => {
  const { text } = await runReady(fixture('server'))
  expect(await text('byte-by-byte')).toBe('¡año 🦊!')
})

test.each(['no-error-code', 'unsafe-error-code'])(
  '[RUN.13] treats an error without a usable code as an error: %s',
  async (toolName) => {
    const { call } = await runReady(fixture('server'))
    const outcome = await call(toolName)
    expect(outcome).toMatchObject({ ok: false, code: 'tool_failed', error: '?' })
    expect(!outcome.ok && JSON.parse(String(outcome.rpcError))).toEqual({ code: -32_603, message: '?' })
  },
)

test('[RUN.15] uses integer ids in every request', async () => {
  const { text } = await runReady(fixture('server'))
  const ids = (JSON.parse(await text('lines')) as string[])
    .map((line) => JSON.parse(line))
    .flatMap(({ id, method }) => (method.startsWith('notifications/') ? [] : [id]))
  expect(ids).toEqual([1, 2, 3])
})

test('[RUN.14] reports the reason for a dropped answer to the caller and in the agent’s output', async () => {
  const { call, event } = await runReady(fixture('server'))
  const line = '{"jsonrpc":"2.0","id":ID,"result":{"content":[],"structuredContent":{"mean":NaN}}}\n'
  expect(await call('raw', { line })).toMatchObject({
    ok: false,
    code: 'result_invalid',
    error: expect.stringContaining('It was dropped, because it is not valid JSON.'),
  })
  expect(await event('server-output-ignored')).toEqual({
    type: 'server-output-ignored',
    name: 'fixture',
    reason: 'an answer was dropped, because it is not valid JSON',
    text: '',
  })
})

test('[STDIO.10] shows an ignored line at once, without colours, data and secrets', async () => {
  const { call, text, event } = await runReady({ ...fixture('server'), secrets: ['sk-secret'] })
  const answer = '{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"x"}]}}'
  expect(
    await text('raw', { line: `\u001b[32m[info] sk-secret got {"token":"t"}\u001b[0m ${answer}\n` }),
  ).toBe('x')
  expect(await event('server-output-ignored')).toMatchObject({
    reason: 'a line of its standard output was ignored, because it is not a JSON-RPC message',
    text: '[info] [hidden] got {…',
  })
  const log = '{"token":"t"} and on\n'
  expect(await text('raw', { line: `${log}${answer}\n` })).toBe('x')
  expect(await event('server-output-ignored', 2)).toMatchObject({ text: '{…' })
  expect((await call('garbage')).ok).toBe(true)
})

test('[STDIO.10] does not treat a log line with its own request as a request of the server', async () => {
  const { text } = await runReady(fixture('server'))
  const echo = 'received {"jsonrpc":"2.0","id":ID,"method":"tools/call","params":{}}\n'
  const answer = '{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"x"}]}}\n'
  expect(await text('raw', { line: echo + answer })).toBe('x')
  expect(await text('lines')).not.toContain('Method not found')
})

test('[STDIO.10] does not treat its own request as one of the server when a terminal repeats it', async () => {
  const { text } = await runReady(fixture('server'))
  const echo = '{"jsonrpc":"2.0","id":ID,"method":"tools/call","params":{}}\r\n'
  const answer = '{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"x"}]}}\r\n'
  expect(await text('raw', { line: echo + answer })).toBe('x')
  expect(await text('lines')).not.toContain('Method not found')
})

test('[STDIO.1] shows a log line in JSON that has a method or an error, and answers nothing', async () => {
  const { text, event } = await runReady(fixture('server'))
  const logs = '{"method":"POST","id":7,"path":"/"}\n{"level":"error","error":"cache miss"}\n'
  const answer = '{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"x"}]}}\n'
  expect(await text('raw', { line: logs + answer })).toBe('x')
  await event('server-output-ignored', 2)
  expect(await text('lines')).not.toContain('Method not found')
})

test('[STDIO.12] accepts an answer without a newline, also just before the server ends', async () => {
  const { call, text, event } = await runReady(fixture('server'))
  const answer = '{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"x"}]}}'
  for (const end of ['', '', '\r']) expect(await text('raw', { line: answer + end })).toBe('x')
  const noted = '{"jsonrpc":"2.0","method":"notifications/message","params":{}}'
  expect(await text('raw', { line: noted + answer })).toBe('x')
  const [last, other] = await Promise.all([call('raw-and-exit', { line: answer }), call('hang')])
  expect(last).toMatchObject({ ok: true })
  expect(other).toMatchObject({ ok: false, code: 'server_exited' })
  await event('server-exited')
})

test.each(['line-too-long', 'line-too-long-id-last'])(
  '[STDIO.4] fails only the call of a line over 64 MiB: %s',
  async (toolName) => {
    const { call, text } = await runReady(fixture('server'))
    const pid = await text('pid')
    const abort = new AbortController()
    const beside = call('hang', {}, abort.signal)
    expect(await call(toolName)).toMatchObject({ ok: false, code: 'result_too_large' })
    expect(await text('pid')).toBe(pid)
    abort.abort()
    expect(await beside).toMatchObject({ code: 'call_cancelled' })
  },
)

test('[STDIO.4] skips and reports a line over 64 MiB that answers nothing', async () => {
  const { text, event } = await runReady(fixture('server'))
  expect(await text('log-too-long')).toBe('after a long line')
  expect(await event('server-output-ignored')).toMatchObject({
    reason: 'a line of its standard output was ignored, because it has 68157440 bytes, too many to keep',
  })
})

test('[STDIO.5] delivers large arguments to a server that reads slowly', async () => {
  const { text, call } = await runReady(fixture('server'))
  const pid = Number(await text('pid'))
  await call('slow-reader')
  const large = text('length', { a: 'x'.repeat(3_000_000) })
  process.kill(pid, 'SIGUSR2')
  expect(await large).toBe('3000008')
})

test('[STDIO.6] ends and restarts a server that closes its standard output', async () => {
  const { call, event } = await runReady(fixture('server'))
  expect(await call('close-stdout')).toMatchObject({ ok: false, code: 'server_exited' })
  expect(await event('server-exited')).toMatchObject({
    reason: expect.stringContaining('closed its standard output'),
  })
  await event('server-ready', 2)
})

test('[STDIO.7] refuses further calls when 64 MiB wait for a server that does not read', async () => {
  const { text, call } = await runReady(fixture('server'))
  const pid = Number(await text('pid'))
  await call('slow-reader')
  const argument = Buffer.from(JSON.stringify({ a: 'x'.repeat(1_048_576) }))
  const calls = Array.from({ length: 70 }, () => call('length', argument))
  expect(await calls[69]).toMatchObject({ ok: false, code: 'too_many_calls' })
  process.kill(pid, 'SIGUSR2')
  const outcomes = await Promise.all(calls)
  expect(outcomes.filter(({ ok }) => ok).length).toBeGreaterThanOrEqual(64)
})

test.each(['flood-pings', 'flood-requests'])(
  '[STDIO.8] ends a server that sends requests and does not read the answers: %s',
  async (tool) => {
    const { call, event } = await runReady(fixture('server'))
    expect(await call(tool)).toMatchObject({ ok: false, code: 'server_exited' })
    expect(await event('server-exited')).toMatchObject({
      reason: 'It was stopped, because it does not read the answers to its own requests.',
    })
    await event('server-ready', 2)
  },
)

test('[STDIO.8] queues at most 1 MiB of unread answers, whatever the calls have queued', () => {
  const queued: { readonly bytes: number; readonly read: (() => void) | undefined }[] = []
  const input = new ServerInput({
    write: ({ length }, read) => queued.push({ bytes: length, read }),
    queuedBytes: () => queued.reduce((sum, { bytes }) => sum + bytes, 0),
  })
  input.write(Buffer.alloc(30 * 1_048_576))
  const answer = Buffer.alloc(1_024)
  while (input.answer(answer)) {}
  expect(queued.slice(1)).toHaveLength(1_024)
  queued.splice(1, 1)[0]?.read?.()
  expect([input.answer(answer), input.answer(answer)]).toEqual([true, false])
})
