import { expect, test } from 'vitest'
import { describeEvent } from '../src/agent-events.ts'

test('[STDIO.10] says at once what a server wrote that was ignored', () => {
  const reason = 'a line of its standard output was ignored, because it is no message'
  const event = { type: 'server-output-ignored', name: 's', reason } as const
  expect(describeEvent({ ...event, text: 'Loading…' }, false)).toBe(`s: ${reason}\n  | Loading…`)
  expect(describeEvent({ ...event, text: '' }, false)).toBe(`s: ${reason}`)
})

test('[TOOLS.11] [MCP.9] names the tools that callers do not see as they were defined, and how many more', () => {
  const event = { type: 'server-tools-odd', name: 's', reason: 'left out, because of a reason' } as const
  expect(describeEvent({ ...event, count: 2, names: ['a', ''] }, false)).toBe(
    's: a, (no name): left out, because of a reason',
  )
  expect(describeEvent({ ...event, count: 9, names: ['a', 'b'] }, false)).toBe(
    's: a, b and 7 more: left out, because of a reason',
  )
})
