import { BridgeError, limits, type ProtocolVersion } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import type { ToolCall } from '../../src/calls/outcome.ts'
import { callFrame } from '../../src/connection/agent-calls.ts'
import { answeredId, readFrame } from '../../src/connection/read-frame.ts'

const CALL = { serverName: 's', toolName: 't', rawArgs: Buffer.from('{"a":1}') }

const frameFor = (call: ToolCall, version: ProtocolVersion = 'v2') => {
  const frame = callFrame('i', call, version)
  return frame instanceof BridgeError ? frame : frame.head
}

function codeOf(frame: Buffer | BridgeError): string {
  return frame instanceof BridgeError ? frame.code : 'sent'
}

test('[CALL.6] makes no frame of a call that its agent could only refuse', () => {
  expect(JSON.parse(String(frameFor(CALL)))).toEqual({
    type: 'tool_execute',
    id: 'i',
    serverName: 's',
    toolName: 't',
    args: { a: 1 },
  })
  expect(codeOf(frameFor({ ...CALL, serverName: '' }))).toBe('server_not_found')
  expect(codeOf(frameFor({ ...CALL, toolName: 'x'.repeat(limits.nameChars + 1) }))).toBe('tool_name_invalid')
  expect(codeOf(frameFor({ ...CALL, toolName: 'x'.repeat(limits.nameChars) }))).toBe('sent')
  const nested = Buffer.from(`{"a":${'['.repeat(1_000)}${']'.repeat(1_000)}}`)
  expect(codeOf(frameFor({ ...CALL, rawArgs: nested }))).toBe('sent')
  expect(codeOf(frameFor({ ...CALL, rawArgs: Buffer.from('{"a":NaN}') }))).toBe('arguments_invalid')
  // A larger text around them was already checked.
  expect(codeOf(frameFor({ ...CALL, rawArgs: Buffer.from('{"a":NaN}'), bounded: true }))).toBe('sent')
})

test('[CALL.12] puts the _meta of a call into a v2 frame as received bytes, and not into a v1 frame', () => {
  const rawMeta = Buffer.from('{ "n":1.0,"progressToken":12345678901234567890,"__proto__":1}')
  const call = { ...CALL, rawMeta }
  const head = '{"type":"tool_execute","id":"i","serverName":"s","toolName":"t",'
  expect(String(frameFor(call))).toBe(`${head}"meta":${rawMeta},"args":{"a":1}}`)
  expect(String(frameFor(call, 'v1'))).toBe(`${head}"args":{"a":1}}`)
})

test('[CALL.6] [BIG.10] accepts arguments that fill a message of v1 to its last byte, or 64 MiB of v2, and refuses more', () => {
  const argsOf = (chars: number) => Buffer.from(`{"a":"${'x'.repeat(chars)}"}`)
  const around = (frameFor({ ...CALL, rawArgs: argsOf(0) }) as Buffer).length
  const full = limits.messageBytes - around
  expect((frameFor({ ...CALL, rawArgs: argsOf(full) }, 'v1') as Buffer).length).toBe(limits.messageBytes)
  expect(codeOf(frameFor({ ...CALL, rawArgs: argsOf(full + 1) }, 'v1'))).toBe('arguments_too_large')
  expect(codeOf(frameFor({ ...CALL, rawArgs: argsOf(full + 1) }))).toBe('sent')
  expect(codeOf(frameFor({ ...CALL, rawArgs: Buffer.alloc(limits.payloadBytes + 1, '{') }))).toBe(
    'arguments_too_large',
  )
})

test('[MSG.1] [MSG.2] [MSG.3] [SIZE.1] reads each frame as a message, or refuses it with a code', () => {
  const read = (text: string, isBinary = false) => readFrame(Buffer.from(text), isBinary, 'v2')
  expect(read('{"type":"ping"}')).toEqual({ type: 'message', message: { type: 'ping' }, sizeBytes: 15 })
  const bad = { type: 'bad-message', detail: '' }
  expect(read('{"type":"ping"}', true)).toEqual({ ...bad, code: 'message_not_text', sizeBytes: 15 })
  expect(read('{')).toMatchObject({ type: 'bad-message', code: 'message_invalid', sizeBytes: 1 })
  expect(read('{"type":"x"}')).toMatchObject({ code: 'message_type_unknown', detail: 'x', sizeBytes: 12 })
  const large = (bytes: number) => read(`{"type":"ping"}${' '.repeat(bytes - 15)}`)
  expect(large(limits.messageBytes)).toMatchObject({ type: 'message', sizeBytes: limits.messageBytes })
  expect(large(limits.messageBytes + 1)).toEqual({
    ...bad,
    code: 'message_too_large',
    sizeBytes: limits.messageBytes + 1,
  })
})

test('[CALL.9] finds the call of a refused answer by its id, even if the rest is unreadable', () => {
  const idOf = (text: string) => answeredId(Buffer.from(text))
  expect(idOf('{"result":[1],"id":"abc-_1"}')).toBe('abc-_1')
  const deep = '['.repeat(100)
  expect(idOf(`{"type":"tool_result","id":"abc","result":${deep}`)).toBe('abc')
  expect(idOf(`{"type":"end","id":"abc","status":200,"message":${deep}`)).toBe('abc')
  expect(idOf(`{"type":"message","id":"abc","message":${deep}`)).toBeUndefined()
  expect(idOf(`{"type":"tool_result","id":"a b","result":${deep}`)).toBeUndefined()
  expect(idOf(` {"type":"tool_result","id":"abc","result":${deep}`)).toBeUndefined()
  expect(idOf('{"type":"tool_result"}')).toBeUndefined()
  expect(idOf(`{"type":"tool_result","id":"${'x'.repeat(200)}","r":${deep}`)).toBe('x'.repeat(200))
  expect(idOf(`{"type":"tool_result","id":"${'x'.repeat(300)}","r":${deep}`)).toBeUndefined()
})
