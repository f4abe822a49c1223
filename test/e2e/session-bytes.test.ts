import { expect, test } from 'vitest'
import { startTalking } from '../support/talking.ts'

/** Answer of `talkative` to a method that it does not know. */
const ODD =
  '{ "x/of" : [1.0, 1e400, 12345678901234567890], "\\u0061" :"\\/ü\\u2028" ,"nested":{"id":7,"_meta":{}}}'

/** Parameters that a parser would change. */
const PARAMS = `{ "name" :"talk","n":[1.0,1e400,12345678901234567890],"\\u0061rguments":{"mark":"m\\/\\u00fc"}, "x":{"id":1,"_meta":{"y":null}} }`

test('[SESS.8] an unknown method and its result keep their bytes', async () => {
  const { client, record } = await startTalking()
  const caller = await client(undefined, {})
  for (const id of ['"ü/\\u0061"', '12345678901234567', '-0', '0']) {
    const { text } = await caller.post(
      `{"jsonrpc":"2.0","x":[1.0],"method":"x/unknown","id":${id},"params":${PARAMS}}`,
    )
    const data = /^data: (\{.*)$/m.exec(text)?.[1] ?? text
    expect(data).toBe(`{"jsonrpc":"2.0","id":${id},"result":${ODD}}`)
  }
  expect(await record.has('x/unknown')).toContain(`"params":${PARAMS}`)
})

test('[SESS.8] a call keeps its bytes but for its token, and gets the token back as it wrote it', async () => {
  const { client, record } = await startTalking()
  const caller = await client(undefined, {})
  for (const token of ['"t\\u006fken/\\/"', '12345678901234567', '1.50']) {
    const params = PARAMS.replace('"x":', `"_meta":{ "progressToken" : ${token} ,"x/y":[1e400]} , "x":`)
    await caller.post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`)
    expect(caller.heard).toContain(`"progressToken":${token},"progress":1`)
    const [, own] = /"progressToken" : (\d+) /.exec(record.lines.at(-1) ?? '') ?? []
    expect(record.lines.at(-1)).toContain(params.replace(`: ${token} `, `: ${own} `))
  }
})

test('[SESS.8] unknown notifications keep their bytes in both directions', async () => {
  const { client, record } = await startTalking()
  const caller = await client(undefined, {})
  const params = PARAMS.replace('"name"', '"of"')
  const { status } = await caller.post(`{"jsonrpc":"2.0","method":"notifications/x/y","params":${params}}`)
  expect(status).toBe(202)
  expect(await record.has('notifications/x/y')).toContain(`"params":${params}`)
  await caller.call('talk', { mark: 'told' })
  expect(caller.heard).toContain('{"jsonrpc":"2.0","method":"notifications/x/told","params":{"mark":"told"}}')
})

test('[SESS.8] an answer to the server keeps its bytes', async () => {
  const { client, record } = await startTalking()
  const caller = await client(undefined, { elicitation: {} })
  const called = caller.call('ask', { mark: 'q' })
  const { id } = await caller.next(({ method }) => method === 'elicitation/create')
  await caller.post(`{"jsonrpc":"2.0","id":"${id}","result":${ODD},"x":1}`)
  expect(await record.has('"ask-1"', '"result"')).toContain(`"result":${ODD}`)
  await called
})

test('[MCP.13] answers a batch of revision 2025-03-26 in a session, and sends its notes', async () => {
  const { client, record } = await startTalking()
  const caller = await client(undefined, {})
  const { json } = await caller.post(
    [
      caller.rpc('ping'),
      { jsonrpc: '2.0', method: 'notifications/x/in-batch' },
      caller.rpc('tools/call', { name: 'talk', arguments: { mark: 'batched' } }),
      caller.rpc('x/unknown'),
    ],
    { 'mcp-protocol-version': '2025-03-26', accept: 'application/json' },
  )
  expect(json).toHaveLength(3)
  expect(json[0].result).toEqual({})
  expect(json[1].result.content[0].text).toMatch(/^batched /)
  expect(json[2].result).toHaveProperty('nested')
  await record.has('notifications/x/in-batch')
})
