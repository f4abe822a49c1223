import type { ExchangeSession } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { call, envelope, notification, request, runFixture } from '../support/exchanges.ts'

const session: ExchangeSession = { id: 'session-1', traits: ['sampling', 'elicitation-form'] }

test('[EXCH.20] answers a stateless request with the id of the caller, byte for byte', async () => {
  const bridge = await runFixture('v1')

  const id = bridge.open({
    message: Buffer.from(
      '{"jsonrpc":"2.0","id":1.50e1,"method":"tools/call","params":{"name":"test_simple_text"}}',
    ),
  })
  const end = await bridge.end(id)

  expect(end).toMatchObject({ status: 200 })
  expect(end.number).toBeUndefined()
  expect(end.message?.toString()).toMatch(/^\{"jsonrpc":"2.0","id":1\.50e1,"result":/)
  expect(bridge.frames.map(({ type }) => type)).toEqual(['accepted', 'end'])
})

test('[EXCH.21] replaces the token of progress on the way to the server and back', async () => {
  const bridge = await runFixture('v1')

  const tokens = ['"a"', '7', '"a"']
  const ids = tokens.map((token) =>
    bridge.open({
      message: Buffer.from(
        `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"test_tool_with_progress","_meta":{"progressToken":${token}}}}`,
      ),
    }),
  )
  await Promise.all(ids.map((id) => bridge.end(id)))

  for (const [at, id] of ids.entries()) {
    const progress = bridge.messages(id).map(({ json }) => json.params)
    expect(progress).toEqual(
      [0, 50, 100].map((done) => ({
        progressToken: JSON.parse(tokens[at] ?? ''),
        progress: done,
        total: 100,
      })),
    )
  }
})

test('[EXCH.22] cancels at the server what the caller cancels', async () => {
  const bridge = await runFixture('v1')
  const opened = { session: { id: 's', traits: [] } }

  const id = bridge.open({
    ...opened,
    message: call('test_tool_with_progress', {}, 'x', { progressToken: 1 }),
  })
  await bridge.message(id)
  const note = await bridge.note({
    ...opened,
    message: notification('notifications/cancelled', { requestId: 'x' }),
  })

  expect(note.status).toBe(202)
  expect(await bridge.end(id)).toMatchObject({ code: 'call_cancelled', message: undefined })
})

test('[SESS.20] begins a session with the introduction of the server, in a version that both speak', async () => {
  const bridge = await runFixture('v1')

  const versions = ['2024-10-07', '2025-06-18', '2025-11-25', '1999-01-01']
  const ends = await Promise.all(
    versions.map((protocolVersion, at) =>
      bridge.ask({
        session: { ...session, id: `s${at}`, traits: [] },
        message: request('initialize', {
          protocolVersion,
          capabilities: {},
          clientInfo: { name: 'c', version: '1' },
        }),
      }),
    ),
  )

  expect(ends.map(({ status }) => status)).toEqual([200, 200, 200, 200])
  expect(ends.map(({ json }) => json?.result)).toMatchObject([
    { protocolVersion: '2024-10-07' },
    { protocolVersion: '2025-06-18' },
    { protocolVersion: '2025-11-25' },
    { protocolVersion: '2025-11-25' },
  ])
})

test('[ASK.1] passes a request of the server to the client, and the answer back', async () => {
  const bridge = await runFixture('v1')

  const id = bridge.open({ session, message: call('test_sampling', { prompt: 'hi' }, 9) })
  const { json, number } = await bridge.message(id)
  expect(number).toBe(1)
  expect(json.method).toBe('sampling/createMessage')
  const answer = { role: 'assistant', model: 'm', content: { type: 'text', text: 'hello' } }
  await bridge.note({ session, message: { jsonrpc: '2.0', id: json.id, result: answer } })

  const end = await bridge.end(id)
  expect(end.json).toMatchObject({ id: 9, result: { content: [{ text: 'LLM response: hello' }] } })
  expect(end.number).toBe(2)
})

test('[EXCH.23] forwards a request of the 2026 era with its envelope', async () => {
  const bridge = await runFixture('v2')

  const end = await bridge.ask({
    era: '2026',
    message: request('tools/call', { name: 'test_missing_capability', arguments: {}, _meta: envelope() }),
  })
  expect(end).toMatchObject({ status: 400, json: { id: 1, error: { code: -32_021 } } })

  const unknown = await bridge.ask({ era: '2026', message: request('no/such', { _meta: envelope() }) })
  expect(unknown).toMatchObject({ status: 404, json: { error: { code: -32_601 } } })

  const round = await bridge.ask({
    era: '2026',
    message: request('tools/call', {
      name: 'test_sampling',
      arguments: { prompt: 'x' },
      _meta: envelope({}, { sampling: {} }),
    }),
  })
  expect(round).toMatchObject({ status: 200, json: { result: { resultType: 'input_required' } } })
})
