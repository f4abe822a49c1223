import type { AgentEvent } from '@bridgekeeper/agent'
import { expect, test } from 'vitest'
import { overviewer, overviewText } from '../src/overview.ts'

const VERIFIED: AgentEvent = { type: 'verified', url: 'wss://b.example/api/mcp-ws', version: 'v2' }
const ENROLLED: AgentEvent = {
  ...{ type: 'enrolled', bridge: 'https://b.example', deviceId: 'device_1' },
  ...{ name: 'laptop', keyStore: 'file' },
}
const ENDED = { reason: 'exit code 1', stderr: '', ignoredLines: 0 }

function after(names: readonly string[], ...events: readonly AgentEvent[]) {
  const take = overviewer('https://b.example', names)
  return events.map(take)
}

test('[CLI.33] the overview comes once, at the first connection, with the state of each server', () => {
  const shown = after(
    ['files', 'memory', 'slow'],
    { type: 'server-ready', name: 'files', tools: 1, skippedTools: 0 },
    { type: 'server-failed', name: 'memory', ...ENDED },
    VERIFIED,
    VERIFIED,
  )
  expect(shown).toEqual([
    undefined,
    undefined,
    {
      type: 'overview',
      mcpUrl: 'https://b.example/mcp',
      accountUrl: 'https://b.example/account',
      newlyEnrolled: false,
      servers: [
        { name: 'files', state: 'ready', tools: 1 },
        { name: 'memory', state: 'failed' },
        { name: 'slow', state: 'starting' },
      ],
    },
    undefined,
  ])
})

test('[CLI.33] the next step and the account page are shown after an enrolment only', () => {
  const [, enrolled] = after(['files'], ENROLLED, VERIFIED)
  const [known] = after(['files'], VERIFIED)
  if (enrolled === undefined || known === undefined) throw new Error('there is no overview')
  expect(overviewText(enrolled)).toMatch(/^Next: .*\n.*https:\/\/b\.example\/account$/m)
  expect(overviewText(known)).not.toContain('account')
  expect(overviewText(known)).toContain('MCP URL: https://b.example/mcp\n')
})

test('[CLI.33] [CLI.10] a long or hostile name of a server is cut and cleaned', () => {
  const [shown] = after([`\u001b[2J${'x'.repeat(200)}`], VERIFIED)
  if (shown === undefined) throw new Error('there is no overview')
  const lines = overviewText(shown, 80).split('\n')
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
  expect(lines.join('')).not.toContain('\u001b')
})

test('[CLI.33] the overview shows the servers after an edit of the config file', () => {
  const shown = after(
    ['gone', 'same', 'edited'],
    { type: 'server-ready', name: 'same', tools: 1, skippedTools: 0 },
    { type: 'server-ready', name: 'edited', tools: 1, skippedTools: 0 },
    { type: 'config-changed', added: ['new'], removed: ['gone'], changed: ['edited'] },
    VERIFIED,
  )
  expect(shown.at(-1)?.servers).toEqual([
    { name: 'same', state: 'ready', tools: 1 },
    { name: 'edited', state: 'starting' },
    { name: 'new', state: 'starting' },
  ])
})
