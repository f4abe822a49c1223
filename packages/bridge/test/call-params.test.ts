import { BridgeError, encodeToolExecute, objectMembers, pickMembers } from '@bridgekeeper/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type CallParams, isSameId, readCallParams, readMessage } from '../src/northbound/message.ts'

const read = (text: string): CallParams | undefined => {
  const body = Buffer.from(text)
  const message = readMessage(body)
  if (message?.kind !== 'request') return undefined
  const call = readCallParams(body, message.params)
  return call instanceof BridgeError ? undefined : call
}

const frameOf = (rawArgs: Buffer) =>
  encodeToolExecute({ id: 'i'.repeat(128), serverName: 's'.repeat(128), toolName: 't'.repeat(128), rawArgs })

test('[CALL.6] bounds the frame of any arguments that the reader accepts', () => {
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

test('[CALL.6] accepts any number of keys in a request and its frame', () => {
  const withKeys = (count: number) =>
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{${Array.from(
      { length: count },
      (_, at) => `"${at}":0`,
    ).join(',')}}}}`
  const many = read(withKeys(100_000))
  expect(many && objectMembers(frameOf(many.rawArgs))).toBeDefined()
})

test('[WIRE.3] keeps the received bytes of the arguments, in any layout of the request', () => {
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
])('[MCP.14] reads the tool name %s as JSON.parse does', (json, name) => {
  const body = `{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":${json}}}`
  expect(read(body)).toMatchObject({ toolName: name, rawArgs: Buffer.from('{}') })
})

test('[MCP.14] finds members as JSON.parse does, whatever others there are', () => {
  const names = ['name', 'arguments', '_meta', 'x', 'n"', '__proto__']
  const spelled = fc.constantFrom(...names).chain((name) =>
    fc.boolean().map((escaped) => {
      const hex = name.charCodeAt(0).toString(16).padStart(4, '0')
      return escaped ? `"\\u${hex}${JSON.stringify(name).slice(2)}` : JSON.stringify(name)
    }),
  )
  const object = fc
    .uniqueArray(fc.tuple(spelled, fc.jsonValue()), { selector: ([key]) => JSON.parse(key), maxLength: 40 })
    .map((members) => `{${members.map(([key, value]) => `${key}: ${JSON.stringify(value)}`).join(' ,')}}`)
  fc.assert(
    fc.property(object, (params) => {
      const body = Buffer.from(`{"jsonrpc":"2.0","id":1,"method":"x","params":${params}}`)
      const message = readMessage(body)
      const found = message?.kind === 'request' ? pickMembers(body, names, message.params) : undefined
      const parsed = new Map(Object.entries(JSON.parse(params)))
      names.forEach((name, at) => {
        const span = found?.[at]
        const value = span && JSON.parse(body.toString('utf8', ...span))
        expect(value).toEqual(parsed.get(name))
      })
    }),
    { numRuns: 2_000 },
  )
})

test('[LOAD.9] compares ids as values, and long ids only as bytes', () => {
  const spellings = (text: string) => [Buffer.from(`"${text}a"`), Buffer.from(`"${text}\\u0061"`)] as const
  const [long, longSpelled] = spellings('x'.repeat(2_048))
  expect(isSameId(...spellings('x'))).toBe(true)
  expect(isSameId(long, longSpelled)).toBe(false)
  expect(isSameId(long, Buffer.from(long))).toBe(true)
})
