import { encodeToolExecute, objectMembers } from '@bridgekeeper/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readToolCall } from '../src/northbound/tool-call.ts'

const HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }

const read = (body: string) => readToolCall(HEADERS, Buffer.from(body))

const frameOf = (rawArgs: Buffer) =>
  encodeToolExecute({ id: 'i'.repeat(128), serverName: 's'.repeat(128), toolName: 't'.repeat(128), rawArgs })

test('[CALL.6] whatever arguments the lean path takes as bounded, their frame is bounded too', () => {
  const args = fc.oneof(
    fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.stringify(value)),
    fc.integer({ min: 980, max: 1_000 }).map((depth) => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`),
    fc.constantFrom('{"__proto__":1}', '{"\\u005f_proto__":{}}', '{"a":1,"a":2}', '{ "a" : 1e400 }\t', '{}'),
    fc.string().map((text) => `{${text}}`),
  )
  let taken = 0
  fc.assert(
    fc.property(args, (rawArgs) => {
      const call = read(
        `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":${rawArgs}}}`,
      )
      if (call === undefined) return
      taken++
      expect(objectMembers(frameOf(call.rawArgs))?.has('args')).toBe(true)
    }),
    { numRuns: 2_000 },
  )
  expect(taken).toBeGreaterThan(200)
})

test('[CALL.6] a request and its frame may have any number of keys', () => {
  const withKeys = (count: number) =>
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{${Array.from(
      { length: count },
      (_, at) => `"${at}":0`,
    ).join(',')}}}}`
  const many = read(withKeys(100_000))
  expect(many && objectMembers(frameOf(many.rawArgs))).toBeDefined()
})

test('[WIRE.3] in any layout of the request, the arguments are the bytes they came in', () => {
  for (const indent of [undefined, 1, '\t']) {
    const params = { name: 't', arguments: { n: 'N' } }
    const request = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }, null, indent)
    const body = ` ${request.replace('"N"', '1.0e2').replaceAll('}', '} ')}\n`
    expect(read(body)?.rawArgs.toString().replace(/\s/g, ''), body).toBe('{"n":1.0e2}')
  }
})

test.each([
  ['"plain"', 'plain'],
  ['"\\u0041\\n"', 'A\n'],
  ['"é"', 'é'],
  ['""', ''],
])('[MCP.3] the tool name %s is read as JSON.parse reads it', (json, name) => {
  const body = `{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":${json}}}`
  expect(read(body)).toMatchObject({ toolName: name, rawArgs: Buffer.from('{}') })
})

test.each([
  '01',
  '-',
  '1.5',
  '1e3',
  '1234567890123456',
  '"\\x"',
  'null',
  '1',
  '-1',
  '123456789012345',
  '"x"',
])('[MCP.3] an id that is not plain is left to the SDK: %s', (id) => {
  const call = read(`{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"t"}}`)
  const isPlain = /^(?:-?[1-9]\d{0,14}|"x")$/.test(id)
  expect(call?.id.toString()).toBe(isPlain ? id : undefined)
})
