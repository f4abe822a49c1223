import { expect, test } from 'vitest'
import { setUpCaller } from '../support/caller.ts'
import { codeIn, modernToolCall, toolCall } from '../support/mcp.ts'

/** Results of an old or hostile agent: strings and brackets are closed, but the text is not JSON. */
const BROKEN = [
  'NaN',
  '-Infinity',
  'tru',
  '01',
  '1.',
  '.5',
  '+1',
  '[1,]',
  '{"a":1,}',
  '"\\x"',
  '"a\tb"',
  "'a'",
  'undefined',
  '',
]

test('[WIRE.2] [CALL.9] fails a call with result_invalid if its result or error is not JSON, in both revisions', async () => {
  const modern = modernToolCall('read')
  for (const broken of BROKEN) {
    // The tenth message that cannot be read ends the connection of the agent.
    const { ask, peer } = await setUpCaller()
    for (const payload of [
      `"success":true,"result":{"content":[],"structuredContent":{"mean":${broken}}}`,
      `"success":false,"error":"x","rpcError":{"code":-1,"message":"x","data":${broken}}`,
    ]) {
      for (const [body, headers] of [
        [toolCall('read'), {}],
        [modern.body, modern.headers],
        [[toolCall('read')], {}],
      ] as const) {
        const posted = ask(body, headers)
        const { id } = await peer.next('tool_execute')
        peer.send(`{"type":"tool_result","id":"${id}",${payload}}`)
        const { status, json } = await posted
        const answer = Array.isArray(json) ? json[0] : json
        expect([status, answer.id, codeIn(answer)], payload).toEqual([200, 1, 'result_invalid'])
        await peer.next('error')
      }
    }
  }
})
