import { expect, test } from 'vitest'
import { describeEvent } from '../src/agent-events.ts'

test('[STDIO.10] prints ignored server output at once', () => {
  const reason = 'a line of its standard output was ignored, because it is not a JSON-RPC message'
  const event = { type: 'server-output-ignored', name: 's', reason } as const
  expect(describeEvent({ ...event, text: 'Loading…' }, false)).toBe(`s: ${reason}\n  | Loading…`)
  expect(describeEvent({ ...event, text: '' }, false)).toBe(`s: ${reason}`)
})

test('[TOOLS.11] [MCP.9] names tools that callers do not see as defined, and counts the rest', () => {
  const event = { type: 'server-tools-odd', name: 's', reason: 'left out, because of a reason' } as const
  expect(describeEvent({ ...event, count: 2, names: ['a', ''] }, false)).toBe(
    's: a, (no name): left out, because of a reason',
  )
  expect(describeEvent({ ...event, count: 9, names: ['a', 'b'] }, false)).toBe(
    's: a, b and 7 more: left out, because of a reason',
  )
})

test('[OAUTH.13] labels code and words of a machine to approve as the page does', () => {
  const verificationUri = 'https://bridge.example.com/device'
  const about = { bridge: 'https://bridge.example.com', name: "Ann's laptop", verificationUri }
  const shown = { userCode: 'one-two-three', keyWords: 'ann bob', expiresInMs: 600_000 }
  const text = describeEvent({ type: 'enrolment-waiting', ...about, ...shown }, false)
  expect(text).toContain(
    '\n  https://bridge.example.com/device\n\n  Code: one-two-three\n  Words of its key:\n    ann bob\n',
  )
})

const start = (forMs: number, mayInstall: boolean) =>
  ({ type: 'server-starting', name: 'files', forMs, limitMs: 600_000, mayInstall }) as const

test('[PROC.15] prints a start at once with details enabled, and otherwise while it lasts', () => {
  expect(describeEvent(start(0, true), false)).toBeUndefined()
  expect(describeEvent(start(0, true), true)).toBe('files: starting')
  expect(describeEvent(start(10_000, true), false)).toBe(
    'files: still starting after 10.0 s (it may be installing packages); it has 600.0 s',
  )
  expect(describeEvent(start(30_000, false), false)).toBe(
    'files: still starting after 30.0 s; it has 600.0 s',
  )
})

test.each([
  ['The program was not found.', 's: failed: The program was not found; starting it again in 30.0 s'],
  ['exited with code 1', 's: failed: exited with code 1; starting it again in 30.0 s'],
])('[AGENT.4] prints why a server failed and when it starts again, as one sentence: %s', (reason, line) => {
  const event = { type: 'server-failed', name: 's', reason, stderr: '', ignoredLines: 0 } as const
  expect(describeEvent({ ...event, retryInMs: 30_000 }, false)).toBe(line)
  expect(describeEvent(event, false)).toBe(`s: failed: ${reason}`)
})

test('[CLI.40] prints which servers an edit of the config file concerns, or why it is not taken', () => {
  const none = { type: 'config-changed', added: [], removed: [], changed: [] } as const
  expect(describeEvent(none, false)).toBe('the config file was read again; no server differs')
  expect(describeEvent({ ...none, added: ['a', 'b'], changed: ['c'] }, false)).toBe(
    'the config file was read again; started: a, b; restarted: c',
  )
  expect(describeEvent({ ...none, removed: ['a'] }, false)).toBe('the config file was read again; stopped: a')
  const unread = { code: 'config_malformed', reason: 'It is wrong at 3:11.', next: 'Correct that place.' }
  expect(describeEvent({ type: 'config-unread', ...unread }, false)).toBe(
    'the config file cannot be used, and the servers stay as they are: It is wrong at 3:11. Correct that place.',
  )
})
