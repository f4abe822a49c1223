import { expect, test } from 'vitest'
import { catalogTool } from '../../../../test/support/catalog.ts'
import type { ServerEvent } from '../../src/events.ts'
import { ServerReports } from '../../src/servers/server-reports.ts'
import { FakeSystem } from '../support/fake-system.ts'

function setUp() {
  const system = new FakeSystem()
  const events: ServerEvent[] = []
  const reports = new ServerReports({
    ...{ name: 's', system, startMs: 600_000, mayInstall: true, secrets: ['topsecret'] },
    onEvent: (event) => events.push(event),
  })
  return { system, events, reports }
}

const PLAIN = catalogTool({ name: 'plain', inputSchema: { type: 'object' } })
const leftOut = (count: number, reason: string) =>
  Array.from({ length: count }, (_, at) => ({ name: `t${at}`, reason }))

test('[PROC.15] reports a start at once and while it lasts, ever less often, until it is stopped', async () => {
  const { system, events, reports } = setUp()
  const stop = reports.starting()
  const report = (forMs: number) => ({
    ...{ type: 'server-starting', name: 's', forMs, limitMs: 600_000, mayInstall: true },
  })
  expect(events).toEqual([report(0)])
  await system.advance(59_999)
  expect(events).toEqual([0, 10_000, 30_000].map(report))
  stop()
  await system.advance(600_000)
  expect(events).toHaveLength(3)
  reports.starting()
  await system.advance(600_000)
  expect(events.slice(3)).toEqual([0, 10_000, 30_000, 60_000, 120_000, 240_000, 480_000].map(report))
})

test('[TOOLS.3] reports the tools of a start and of each change, and those left out by reason', () => {
  const { events, reports } = setUp()
  const odd = { type: 'server-tools-odd', name: 's' }
  const list = {
    ok: true,
    tools: [PLAIN],
    leftOut: [...leftOut(9, 'is topsecret'), ...leftOut(1, 'other')],
  } as const
  const odds = [
    { ...odd, reason: 'is [hidden]', count: 9, names: Array.from({ length: 8 }, (_, at) => `t${at}`) },
    { ...odd, reason: 'other', count: 1, names: ['t0'] },
  ]
  reports.ready(list)
  expect(events).toEqual([{ type: 'server-ready', name: 's', tools: 1, skippedTools: 10 }, ...odds])
  events.length = 0
  reports.toolsChanged(list)
  expect(events).toEqual([{ type: 'server-tools-changed', name: 's', tools: 1 }, ...odds])
  events.length = 0
  reports.toolsChanged({ ...list, leftOut: [] })
  expect(events).toHaveLength(1)
})

test('[PROC.7] hides secrets in the reason for which tools were not read', () => {
  const { events, reports } = setUp()
  reports.toolsUnread('It printed topsecret.')
  expect(events).toEqual([{ type: 'server-tools-unread', name: 's', reason: 'It printed [hidden].' }])
})

test('[PROC.4] reports an end before the server was ready as a failure, and later as an exit', () => {
  const { events, reports } = setUp()
  const end = { reason: 'It ended.', stderr: 'oops', ignoredLines: 2 }
  const more = { hasStarted: true, answered: false, missing: false }
  reports.ended({ ...end, ...more, readyForMs: undefined }, 500)
  reports.ended({ ...end, ...more, readyForMs: 0 }, 500)
  reports.unlisted('There is no room.')
  expect(events).toEqual([
    { type: 'server-failed', name: 's', ...end, retryInMs: 500 },
    { type: 'server-exited', name: 's', ...end, retryInMs: 500 },
    { type: 'server-failed', name: 's', reason: 'There is no room.', stderr: '', ignoredLines: 0 },
  ])
})
