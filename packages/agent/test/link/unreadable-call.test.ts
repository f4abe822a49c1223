import { limits } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { unreadableCallId } from '../../src/link/unreadable-call.ts'

const idOf = (value: unknown) => unreadableCallId(Buffer.from(JSON.stringify(value)))

test('[LINK.27] finds the id of a call, up to the longest', () => {
  for (const id of ['1', 'x'.repeat(limits.callIdChars)]) expect(idOf({ type: 'tool_execute', id })).toBe(id)
})

test.each([
  { type: 'tool_execute', id: 'x'.repeat(limits.callIdChars + 1) },
  { type: 'tool_execute', id: '' },
  { type: 'tool_execute', id: ['1'] },
  { type: 'tool_execute' },
  { type: 'credit', id: '1' },
  null,
])('[LINK.27] finds no id in %j', (value) => {
  expect(idOf(value)).toBeUndefined()
  expect(unreadableCallId(Buffer.from('garbage'))).toBeUndefined()
})
