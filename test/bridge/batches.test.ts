import { expect, test } from 'vitest'
import { BIG, callText, RESULT, setUpCaller } from '../support/caller.ts'
import { codeIn, MODERN, modernToolCall, toolCall } from '../support/mcp.ts'

test('[MCP.13] answers the messages of a batch in order, each as if it came alone', async () => {
  const { ask, peer } = await setUpCaller()
  const batch = [
    callText('1764459703123456789', `{"n":${BIG}}`),
    '{"jsonrpc":"2.0","id":"p","method":"ping"}',
    '{"jsonrpc":"2.0","method":"notifications/initialized"}',
    '{"jsonrpc":"2.0","id":2,"method":"tools/list"}',
    '{"jsonrpc":"2.0","id":99,"result":{}}',
    callText('3'),
    '5',
    '{"jsonrpc":"2.0","id":4,"method":"initialize"}',
  ]
  for (const accept of ['application/json, text/event-stream', 'text/event-stream']) {
    const posted = ask(`[${batch.join(' ,\n')}]`, { accept, 'mcp-protocol-version': '2025-03-26' })
    const first = await peer.next('tool_execute')
    const second = await peer.next('tool_execute')
    peer.send({ type: 'tool_result', id: second.id, success: false, error: 'gone', code: 'server_exited' })
    peer.send(`{"type":"tool_result","id":"${first.id}","success":true,"result":${RESULT}}`)
    const { status, text } = await posted
    expect(status).toBe(200)
    const answers = accept.startsWith('text')
      ? text
          .replace(/^event: message\ndata: /gm, '')
          .trim()
          .split('\n\n')
      : [text.slice(1, -1)]
    const all = answers.join(',')
    expect(all).toContain(
      `{"jsonrpc":"2.0","id":1764459703123456789,"result":${RESULT}},{"jsonrpc":"2.0","id":"p","result":{}}`,
    )
    const parsed = JSON.parse(`[${all}]`)
    expect(parsed.map((answer: { id: unknown }) => answer.id).slice(1)).toEqual(['p', 2, 3, null, 4])
    expect(parsed.map(codeIn)).toEqual([
      undefined,
      undefined,
      undefined,
      'server_exited',
      'request_invalid',
      'request_invalid',
    ])
  }
})

test.each(['2024-10-07', '2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'])(
  '[MCP.13] answers a batch of revision %s, as the official servers do',
  async (version) => {
    const { ask } = await setUpCaller()
    const headers = { 'mcp-protocol-version': version }
    const { status, json } = await ask([{ jsonrpc: '2.0', id: 1, method: 'ping' }], headers)
    expect([status, json]).toEqual([200, [{ jsonrpc: '2.0', id: 1, result: {} }]])
    expect((await ask([{ jsonrpc: '2.0', id: 1, result: {} }], headers)).status).toBe(202)
  },
)

test('[MCP.13] accepts a batch of notifications, and refuses an empty one and one of another revision', async () => {
  const { ask, peer } = await setUpCaller()
  const notification = { jsonrpc: '2.0', method: 'notifications/initialized' }
  expect((await ask([notification, { jsonrpc: '2.0', id: 1, result: {} }])).status).toBe(202)
  expect((await ask([])).json.error.data.code).toBe('request_invalid')
  for (const version of ['2025-12-31', MODERN]) {
    const refused = await ask([toolCall('read')], { 'mcp-protocol-version': version })
    expect(refused).toMatchObject({ status: 400, json: { error: { data: { code: 'request_invalid' } } } })
    expect(refused.json.error.message).toContain(version)
  }
  const { json } = await ask([modernToolCall('read').body])
  expect(json).toMatchObject([{ id: 1, error: { data: { code: 'request_invalid' } } }])
  expect((await ask('[{"jsonrpc":"2.0",]')).json.error.code).toBe(-32700)
  expect(peer.waiting).toEqual([])
})
