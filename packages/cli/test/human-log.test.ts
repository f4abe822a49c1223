import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import {
  type EventName,
  realSystem,
  type SecurityEvent,
  securityEvents,
  streamLog,
  streamSink,
} from '@bridgekeeper/bridge'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { humanLog, logLineText } from '../src/human-log.ts'

/** The lines that a person sees of these events, through the log and its sink as `serve` has them. */
async function shown(...events: readonly SecurityEvent[]): Promise<readonly string[]> {
  const output = new PassThrough()
  const human = humanLog(output)
  let flush = (): void => {}
  const after = (_delayMs: number, run: () => void) => {
    flush = run
    return () => {}
  }
  const system = { ...realSystem(), after }
  const log = streamLog(human, system)
  for (const event of events) log.logSecurityEvent(event)
  flush()
  human.end(() => output.end())
  return (await text(output)).split('\n').slice(0, -1)
}

const whenOf = (event: EventName): string => securityEvents[event].when

test('[CLI.37] an event is one line with time, level, what happened, and its fields', async () => {
  const lines = await shown(
    { event: 'mcp_authentication_failed', ip: '203.0.113.7', reason: 'token_expired', counted: true },
    {
      event: 'ws_tool_execution_request',
      userId: 'user_1',
      serverName: 'files',
      toolName: 'read',
      requestId: 'r',
    },
    { event: 'bridge_stopped' },
  )
  expect(lines.map((line) => line.replace(/^\d\d:\d\d:\d\d /, ''))).toEqual([
    `warn   ${whenOf('mcp_authentication_failed')}  ip=203.0.113.7 reason=token_expired`,
    `info   ${whenOf('ws_tool_execution_request')}  user=user_1 serverName=files toolName=read`,
    `info   ${whenOf('bridge_stopped')}`,
  ])
  for (const line of lines) expect(line).toMatch(/^\d\d:\d\d:\d\d /)
})

const HOSTILE = [
  '\u001b[2J\u001b]0;owned\u0007',
  'read\n12:00:00 info   a user logged in  user=root',
  'read\r12:00:00 error',
  'read  user=root ip=10.0.0.1',
  'read" user="root',
  'a\u202eb\u2066c\u200bd',
  '\u009b31m\u0085x\u2028y',
  'Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJlc2lnbmF0dXJl',
]

test.each(HOSTILE)(
  '[CLI.37] [CLI.10] a value of a peer stays in its field, on its line: %j',
  async (name) => {
    const lines = await shown({
      event: 'call_forbidden',
      userId: 'user_1',
      serverName: name,
      toolName: 'read',
    })
    expect(lines).toHaveLength(1)
    const [line = ''] = lines
    expect(line).not.toMatch(/[^\P{C}]|[\u2028\u2029]/u)
    expect(line).not.toContain('eyJ')
    const fields = line.slice(line.indexOf('user=')).replaceAll(/"(?:[^"\\]|\\.)*"/g, '_')
    expect(fields).toMatch(/^user=user_1 serverName=[\w.:@/+-]+ toolName=read$/)
  },
)

test('[CLI.37] no text becomes more than one line, or acts on a terminal', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (event, value) => {
      const line = JSON.stringify({ event, severity: value, userId: value, ip: value, timestamp: value })
      for (const each of [logLineText(line), logLineText(value)])
        expect(each).not.toMatch(/[^\P{C}]|[\u2028\u2029]/u)
    }),
  )
})

test('[CLI.37] lines that were dropped are counted', async () => {
  expect(logLineText('{"dropped":12}')).toBe('(12 events were not shown: nobody read them)')
})

test('[CLI.22] [CLI.37] an output that fails ends nothing', async () => {
  const output = new PassThrough()
  const human = humanLog(output)
  const sink = streamSink(human, realSystem())
  output.on('error', () => {})
  output.destroy(new Error('EPIPE'))
  for (let n = 0; n < 3; n++) {
    sink.write('{"event":"bridge_stopped","severity":"info"}\n')
    await sink.close()
  }
  expect(human.writable).toBe(false)
})
