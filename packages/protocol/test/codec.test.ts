import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  canonicalJson,
  codes,
  decodeDown,
  decodeUp,
  encode,
  encodeExchange,
  encodeToolExecute,
  encodeToolFailure,
  encodeToolResult,
  type ProtocolVersion,
  schemaHashes,
  schemas,
} from '@bridgekeeper/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'

const VERSIONS: readonly ProtocolVersion[] = ['v1', 'v2']

test.each(VERSIONS)('[WIRE.1] the schema of %s has the hash pinned beside its version', (version) => {
  const { up, down } = schemas[version]
  const text = canonicalJson({ up: z.toJSONSchema(up), down: z.toJSONSchema(down) })
  expect(createHash('sha256').update(text).digest('hex')).toBe(schemaHashes[version])
})

/** Valid and invalid values for every member of a tool_result. */
const almostToolResult = fc
  .record(
    {
      type: fc.constant('tool_result'),
      id: fc.oneof(fc.string({ maxLength: 130 }), fc.integer()),
      success: fc.oneof(fc.boolean(), fc.constantFrom('true', 1, null)),
      result: fc.jsonValue({ maxDepth: 3 }),
      error: fc.oneof(fc.string(), fc.integer()),
      code: fc.oneof(fc.string({ maxLength: 70 }), fc.boolean()),
      rpcError: fc.oneof(
        fc.record({
          code: fc.oneof(fc.integer(), fc.double()),
          message: fc.oneof(fc.string(), fc.constant(1)),
        }),
        fc.jsonValue({ maxDepth: 1 }),
      ),
    },
    { requiredKeys: ['type'] },
  )
  // A frame with that key is refused, while the schema only drops it.
  .filter((value) => !JSON.stringify(value).includes('__proto__'))

test.each(VERSIONS)(
  '[WIRE.2] the lean reader of tool_result accepts what the schema of %s accepts',
  (version) => {
    fc.assert(
      fc.property(almostToolResult, (value) => {
        const frame = Buffer.from(JSON.stringify(value))
        const bySchema = schemas[version].up.safeParse(JSON.parse(frame.toString('utf8')))
        const decoded = decodeUp(frame, version)
        expect(decoded.ok).toBe(bySchema.success)
        if (!decoded.ok || !bySchema.success || decoded.message.type !== 'tool_result') return
        expect(readable(decoded.message)).toEqual({
          result: null,
          ...bySchema.data,
          ...((bySchema.data as { success: boolean }).success ? {} : { result: undefined }),
        })
      }),
      { numRuns: 3_000 },
    )
  },
)

/** The frame with its raw payloads parsed. */
function readable(message: object): object {
  return Object.fromEntries(
    Object.entries(message).map(([key, value]) => [
      key,
      Buffer.isBuffer(value) ? JSON.parse(value.toString('utf8')) : value,
    ]),
  )
}

test('[WIRE.3] passes arguments and results as received bytes', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(0, 1, '\t'), (value, indent) => {
      const raw = Buffer.from(JSON.stringify(value, null, indent))
      const call = decodeDown(
        encodeToolExecute({ id: 'i', serverName: 's', toolName: 't', rawArgs: raw }),
        'v2',
      )
      expect(call.ok && call.message.type === 'tool_execute' && call.message.rawArgs).toEqual(raw)
      const answer = decodeUp(encodeToolResult('i', raw), 'v1')
      expect(
        answer.ok && answer.message.type === 'tool_result' && answer.message.success && answer.message.result,
      ).toEqual(raw)
    }),
  )
})

test('[WIRE.3] passes the bytes of a result whose type is escaped', () => {
  const frame = '{"type":"tool\\u005fresult","id":"\\u0061b","success":true,"result":{"n":1.0}}'
  expect(decodeUp(Buffer.from(frame), 'v2')).toEqual({
    ok: true,
    message: { type: 'tool_result', id: 'ab', success: true, result: Buffer.from('{"n":1.0}') },
  })
})

test('[WIRE.3] passes the bytes of a local server’s error', () => {
  const rpcError = Buffer.from('{"code":-32602,"message":"x","data":{"n":1.0, "é":"\\u00e9"}}')
  const decoded = decodeUp(encodeToolFailure('i', { error: 'x', code: 'tool_failed', rpcError }), 'v2')
  expect(decoded).toMatchObject({
    ok: true,
    message: { id: 'i', success: false, code: 'tool_failed', rpcError },
  })
  expect(decodeUp(encodeToolFailure('i', { error: 'x' }), 'v1')).toMatchObject({
    ok: true,
    message: { error: 'x' },
  })
})

test.each([
  ['no JSON', 'hello', 'message_invalid'],
  ['no object', '[1]', 'message_invalid'],
  ['no type', '{"id":"a"}', 'message_invalid'],
  ['an unknown type', '{"type":"launch"}', 'message_type_unknown'],
  [
    'a message of the other direction',
    '{"type":"challenge","challenge":"a","expiresIn":1}',
    'message_type_unknown',
  ],
  ['a v2 message on v1', '{"type":"catalog","servers":[]}', 'message_type_unknown'],
  ['a type twice', '{"type":"ping","type":"pong"}', 'message_invalid'],
  ['a wrong member', '{"type":"challenge_response","response":5}', 'message_invalid'],
  [
    'a broken member inside',
    '{"type":"tool_execute","id":"a","serverName":"s","toolName":"t","args":{"a":tru}}',
    'message_invalid',
  ],
  [
    'arguments that are no object',
    '{"type":"tool_execute","id":"a","serverName":"s","toolName":"t","args":[]}',
    'message_invalid',
  ],
  [
    'a control character in a name',
    '{"type":"tool_execute","id":"a","serverName":"s\\n","toolName":"t"}',
    'message_invalid',
  ],
])('[WIRE.4] refuses a frame with %s', (_what, frame, code) => {
  expect(decodeUp(Buffer.from(frame), 'v1')).toMatchObject({ ok: false, code })
})

test('[CODE.1] names the app wherever a next step names token issue, which an embedded bridge lacks', () => {
  const issuing = Object.values(codes).filter(({ next }) => next.includes('bridgekeeper token issue'))
  expect(issuing).toHaveLength(3)
  for (const { next } of issuing) expect(next).toContain('from the app that embeds the bridge')
})

test('[CODE.1] gives every code a text, a next step, a status and a row in PROTOCOL.md', () => {
  const documented = readFileSync(new URL('../../../PROTOCOL.md', import.meta.url), 'utf8')
  for (const [code, entry] of Object.entries(codes)) {
    expect(entry.message, code).toMatch(/^[A-Z].*\.$/)
    expect(entry.next, code).not.toBe('')
    expect(entry.http, code).toBeGreaterThanOrEqual(400)
    expect(documented, code).toContain(`| \`${code}\` | ${entry.http} | ${entry.rpc} |`)
  }
})

test('[WIRE.6] a frame of an exchange carries its message as bytes, whatever is in it', () => {
  const message = Buffer.from('{"n": 12345678901234567890, "e": 1e400 ,"id":1.0}')
  const open = {
    ...{ type: 'open' as const, id: 'a', server: 's', kind: 'request' as const, era: '2025' as const },
    ...{ client: 'c', streams: true, session: { id: 'x', traits: ['roots' as const] } },
  }
  expect(decodeDown(encodeExchange({ ...open, message }), 'v2')).toEqual({
    ok: true,
    message: { ...open, message },
  })
  const end = { type: 'end' as const, id: 'a', status: 200, number: 3 }
  expect(decodeUp(encodeExchange({ ...end, message }), 'v2')).toEqual({
    ok: true,
    message: { ...end, message },
  })
  expect(decodeUp(encodeExchange(end), 'v2')).toEqual({ ok: true, message: end })
})

test('[WIRE.6] the text of an error, which is also called message, is read by its schema', () => {
  const error = encode({ type: 'error', error: 'x', message: 'why' })
  expect(decodeDown(error, 'v2')).toEqual({
    ok: true,
    message: { type: 'error', error: 'x', message: 'why' },
  })
  expect(decodeDown(Buffer.from('{"type":"error","error":"x","message":{}}'), 'v2')).toMatchObject({
    ok: false,
  })
})
