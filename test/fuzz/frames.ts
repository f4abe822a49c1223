import fc from 'fast-check'

/** Frames as a peer may send them, honest but for a mutation, or nothing like it. */

const VALID: readonly object[] = [
  { type: 'challenge_response', response: 'f'.repeat(64) },
  { type: 'ping' },
  { type: 'pong' },
  {
    type: 'tool_result',
    id: 'AAAAAAAAAAAAAAAAAAAA00',
    success: true,
    result: { content: [{ type: 'text', text: 'x' }] },
  },
  {
    type: 'tool_result',
    id: 'AAAAAAAAAAAAAAAAAAAA00',
    success: false,
    error: 'no',
    code: 'tool_failed',
    rpcError: { code: 1, message: 'm' },
  },
  { type: 'tool_execute', id: 'own', serverName: 's', toolName: 't', args: { a: [1, null, true, 'ü'] } },
  {
    type: 'catalog',
    servers: [{ state: 'ready', name: 's', serverInfo: { name: 's', version: '1' }, tools: [] }],
  },
  { type: 'challenge', challenge: 'c'.repeat(64), expiresIn: 30_000 },
  { type: 'challenge_verified' },
  { type: 'error', error: 'rate_limit_exceeded', message: 'm', retryAfter: 5 },
  { type: 'tool_cancel', id: 'x' },
]

const PIECES = [
  '{',
  '}',
  '[',
  ']',
  '"',
  '\\',
  ',',
  ':',
  '\\u0000',
  '\\ud800',
  '"__proto__":',
  '"constructor":{"prototype":1},',
  '{"type":"ping"}',
  '"type":"ping",',
  '"id":"a",',
  'null',
  'true',
  '-0',
  '1e999',
  '1e',
  '\u2028',
  '\ufeff',
  ' ',
  '\n',
  '\0',
]

const valid = fc.constantFrom(...VALID).map((message) => Buffer.from(JSON.stringify(message)))
const place = fc.nat({ max: 200 })

/** A valid frame with some bytes changed, put in or cut out. */
const mutated = fc
  .tuple(
    valid,
    fc.array(
      fc.oneof(
        fc.record({
          at: place,
          cut: fc.nat({ max: 12 }),
          put: fc.constantFrom(...PIECES).map((text) => Buffer.from(text)),
        }),
        fc.record({
          at: place,
          cut: fc.constant(1),
          put: fc.uint8Array({ minLength: 0, maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
        }),
      ),
      { minLength: 1, maxLength: 6 },
    ),
  )
  .map(([frame, edits]) =>
    edits.reduce((bytes, { at, cut, put }) => {
      const start = at % (bytes.length + 1)
      return Buffer.concat([bytes.subarray(0, start), put, bytes.subarray(start + cut)])
    }, frame),
  )

/** A valid frame with a member of any JSON value. */
const replaced = fc
  .tuple(
    fc.constantFrom(...VALID),
    fc.constantFrom(
      'type',
      'id',
      'success',
      'result',
      'error',
      'args',
      'servers',
      'response',
      'rpcError',
      '__proto__',
      'constructor',
      'x',
    ),
    fc.json({ maxDepth: 6 }),
  )
  .map(([message, name, json]) => {
    const others = Object.entries(message).filter(([key]) => key !== name)
    const members = [
      ...others.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`),
      `"${name}":${json}`,
    ]
    return Buffer.from(`{${members.join(',')}}`)
  })

const pieces = fc
  .array(fc.constantFrom(...PIECES), { maxLength: 40, size: 'max' })
  .map((parts) => Buffer.from(parts.join('')))
const bytes = fc.uint8Array({ maxLength: 200, size: 'max' }).map((array) => Buffer.from(array))

/** Small text repeated until it is large, to find slow paths. */
export const REPEATED: readonly (readonly [head: string, part: string, tail: string])[] = [
  ['', '{"a":', ''],
  ['', '[', ''],
  ['{"a":', '[', ''],
  ['{"a":"', '\\', ''],
  ['{"a":"', '\\"', '"}'],
  ['{"a":"', '\\u00e9', '"}'],
  ['{"a":"', 'x', ''],
  ['{"a":[', '"",', '""]}'],
  ['{"a":{', '"k":1,', '"k":1}}'],
  ['{"a":{', '"__proto_":1,', '"z":1}}'],
  ['{', '"type":"ping",', '"z":1}'],
  ['{"a":', ' ', '1}'],
  ['{"a":', '9', '}'],
  ['{"a":[', '1e5,', '1]}'],
  ['{"type":"', 'x', '"}'],
  ['{"type":"tool_result","success":true,"id":"', 'ü', '"}'],
  ['{"type":"tool_result","success":true,"id":"a","result":["', '\\\\', '"]}'],
  ['{"type":"tool_execute","id":"i","serverName":"s","toolName":"t","args":{"a":[', '{"b":"c"},', '0]}}'],
  ['{"type":"catalog","servers":[', '{"state":"starting","name":"s"},', '{}]}'],
]

export function repeated([head, part, tail]: (typeof REPEATED)[number], sizeBytes: number): Buffer {
  return Buffer.from(head + part.repeat(Math.ceil(sizeBytes / Buffer.byteLength(part))) + tail)
}

const large = fc
  .tuple(fc.constantFrom(...REPEATED), fc.integer({ min: 1, max: 20_000 }))
  .map(([parts, sizeBytes]) => repeated(parts, sizeBytes))

export const anyFrame: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 5, arbitrary: mutated },
  { weight: 3, arbitrary: replaced },
  { weight: 2, arbitrary: pieces },
  { weight: 1, arbitrary: bytes },
  { weight: 1, arbitrary: large },
  { weight: 1, arbitrary: valid },
)

/** Raw TCP bytes: WebSocket frames whose head, mask or length is wrong. */
export const anyWireBytes: fc.Arbitrary<Buffer> = fc.oneof(
  bytes,
  fc
    .tuple(fc.nat({ max: 255 }), fc.nat({ max: 255 }), fc.uint8Array({ maxLength: 20 }), mutated)
    .map(([first, second, head, payload]) => Buffer.concat([Buffer.from([first, second]), head, payload])),
)
