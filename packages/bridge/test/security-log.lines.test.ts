import { Buffer } from 'node:buffer'
import type { EventName, SecurityEvent } from '@bridgekeeper/bridge'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { call, linesOf, recordsOf, writtenLog } from '../../standalone/test/support/logs.ts'
import { securityEvents } from '../src/security-log/events.ts'
import { lineBody, timestamps } from '../src/security-log/line.ts'
import { canaries } from './support/canaries.ts'

const NOW = '2026-11-22T18:41:24.123Z'

const names = Object.keys(securityEvents) as EventName[]

function fieldsOf(name: EventName): [string, string][] {
  return Object.entries<string>(securityEvents[name].fields)
}

/** An event with this value in each of its string fields, and with fields that are not in the table. */
function filled(event: EventName, value: unknown, userId: unknown = value): SecurityEvent {
  const fields = fieldsOf(event).map(([field, kind]) => {
    if (kind === 'count') return [field, 7]
    return [field, kind === 'flag' ? true : value]
  })
  const others = { token: 'not in the table', args: { a: 1 } }
  const backwards = Object.fromEntries(fields.reverse())
  return { ...others, ...backwards, ip: value, userId, event } as unknown as SecurityEvent
}

function bodyOf(event: SecurityEvent): Record<string, unknown> {
  return JSON.parse(`${lineBody(event, NOW)}}`)
}

test('[LOG.1] writes every event with its members in the contract’s order, and no other', async () => {
  const folder = await writtenLog(names.map((name) => filled(name, 'plain')))
  const records = recordsOf(folder)
  expect(records.map(Object.keys)).toEqual(
    names.map((name) => [
      'timestamp',
      'event',
      'severity',
      'userId',
      'ip',
      ...fieldsOf(name).map(([field]) => field),
      'seq',
      'hash',
    ]),
  )
  expect(records.map(({ event, severity, seq }) => [event, severity, seq])).toEqual(
    names.map((name, i) => [name, securityEvents[name].severity, i + 1]),
  )
  expect(records[0]?.timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
})

test('[LOG.1] omits missing members, replaces invalid ones, and writes no unknown event', async () => {
  expect(lineBody({ event: 'ws_challenge_verified' }, NOW)).toBe(
    `{"timestamp":"${NOW}","event":"ws_challenge_verified","severity":"info"`,
  )
  const odd = { event: 'ws_message_too_large', size: Number.NaN, maxSize: 'many', userId: 7 }
  expect(bodyOf(odd as unknown as SecurityEvent)).toMatchObject({
    size: null,
    maxSize: null,
    userId: '[redacted]',
  })
  const failed = { event: 'ws_tool_execution_result', success: 'yes' } as unknown as SecurityEvent
  expect(bodyOf(failed)).toMatchObject({ success: false })
  for (const event of ['constructor', '__proto__', 'no_such_event'] as unknown as EventName[]) {
    const folder = await writtenLog([{ event } as SecurityEvent, call('a')])
    expect(recordsOf(folder).map(({ toolName, seq }) => [toolName, seq])).toEqual([['a', 1]])
  }
})

test('[LOG.1] takes timestamps from the clock, the second time too, forward or back', () => {
  const timestamp = timestamps()
  const moments = fc.oneof(fc.nat(3), fc.integer({ min: -5_000, max: 4_102_444_800_000 }))
  fc.assert(
    fc.property(moments, (atMs) => {
      const expected = new Date(atMs).toISOString()
      expect([timestamp(atMs), timestamp(atMs)]).toEqual([expected, expected])
    }),
  )
})

const FORGERY = 'x"}\n{"timestamp":"2026-01-01T00:00:00.000Z","event":"user_added"'
const CONTROLS =
  '\u0000\u0007\u001b[31m\r\n\t\u007f\u0085\u009b\u00ad\u200b\u200e\u202e\u2028\u2029\u2066\ufeff\ud800'

test('[LOG.2] escapes values that would forge a line or reach a terminal', async () => {
  const values = [FORGERY, CONTROLS, `\\"${FORGERY}\\`, 'Zoë 日本 😀', `${'a'.repeat(127)}😀`]
  const folder = await writtenLog(names.flatMap((name) => values.map((value) => filled(name, value))))
  const lines = linesOf(folder)
  expect(lines).toHaveLength(names.length * values.length)
  for (const line of lines) expect(line).toMatch(/^\{"timestamp":"[^"]*","event":"\w+"[\x20-\x7e]*\}$/)
  const shown = JSON.stringify(recordsOf(folder))
  expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u)
  expect(shown).toContain('Zoë 日本 😀')
})

test('[LOG.2] bounds values', () => {
  const { userId, ip, url } = bodyOf(filled('ws_insecure_connection_rejected', 'word '.repeat(1_000)))
  expect([userId, ip, url].map((value) => String(value).length)).toEqual([128, 64, 256])
  expect(bodyOf(filled('ws_challenge_verified', `${'a'.repeat(127)}😀`)).userId).toBe('a'.repeat(127))
})

test('[LOG.3] writes none of 200 secrets in any field of any event', async () => {
  const secrets = canaries(200)
  const events = secrets.flatMap(({ text, formless }) =>
    names.flatMap((name) => [
      filled(name, text, formless ? 'ann' : text),
      filled(name, `it failed: ${text} (again)`, 'ann'),
    ]),
  )
  const folder = await writtenLog(events)
  const written = linesOf(folder).join('\n')
  expect(written).toContain('[redacted]')
  expect(secrets.filter(({ secret }) => written.includes(secret))).toEqual([])
})

test('[LOG.3] replaces an invalid id or digest', () => {
  const digest = (fingerprint: string) =>
    bodyOf({ event: 'ws_connection_established', fingerprint }).fingerprint
  expect(digest('a'.repeat(64))).toBe('a'.repeat(64))
  expect(digest('not a digest')).toBe('[redacted]')
  const id = (requestId: string) => bodyOf({ event: 'ws_unexpected_result', requestId }).requestId
  expect(id('with spaces token=abc')).toBe('with spaces token=[redacted]')
  expect(id(`sk-${'aB3'.repeat(9)}`)).toBe('[redacted]')
})

test('[LOG.4] writes its own ids and ordinary names unchanged', () => {
  const ids = Array.from({ length: 2_000 }, () => Buffer.from(crypto.getRandomValues(new Uint8Array(16))))
  for (const id of ids) {
    const requestId = `${id.subarray(0, 15).toString('base64url')}0z`
    const userId = `user_${id.toString('hex').slice(0, 24)}`
    expect(bodyOf({ event: 'ws_tool_execution_result', userId, requestId })).toMatchObject({
      userId,
      requestId,
    })
    expect(bodyOf({ event: 'ws_unexpected_result', requestId: id.toString('hex') })).toMatchObject({
      requestId: id.toString('hex'),
    })
  }
  const users = [
    'ann@example.com',
    'auth0|5f7c8ec7c33c6c004bbafe82',
    'user_2abCDefGHij3KLmnOP4qrSTuvWX',
    crypto.randomUUID(),
  ]
  for (const userId of users) expect(bodyOf({ event: 'user_added', userId })).toMatchObject({ userId })
  const tools = [
    'list_allowed_directories',
    'getUserProfileFromDatabaseByEmailAddress',
    'read_multiple_files_v2',
    'a/b/c',
    'Datei öffnen',
  ]
  for (const toolName of tools) expect(bodyOf(call(toolName))).toMatchObject({ toolName })
  const text =
    'connect ECONNREFUSED 127.0.0.1:5432 at /usr/local/lib/node_modules/bridgekeeper/src/main.ts:12'
  expect(bodyOf({ event: 'ws_error', error: text })).toMatchObject({ error: text })
  for (const ip of ['203.0.113.7', '2001:db8::1', '::ffff:10.0.0.1']) {
    expect(bodyOf({ event: 'ws_challenge_verified', ip })).toMatchObject({ ip })
  }
})

test('[LOG.4] bounds its memory of names, and keeps each correct', () => {
  for (let i = 0; i < 5_000; i++) expect(bodyOf(call(`tool ${i}`)).toolName).toBe(`tool ${i}`)
})

test('[LOG.5] handles a megabyte of hostile pattern input quickly', () => {
  const unit = [
    'a',
    '-----BEGIN ',
    'eyJ',
    'a:',
    '@',
    'password="',
    'bearer ',
    '\\',
    '%3d',
    'sk-',
    'a_',
    '//',
    ' ',
  ]
  const before = process.cpuUsage()
  for (const piece of unit) {
    const value = piece.repeat(Math.ceil(1_048_576 / piece.length))
    for (const name of names) lineBody(filled(name, value), NOW)
  }
  // Processor time, which other processes do not add to: far more than it takes, and far less than backtracking would.
  expect(process.cpuUsage(before).user / 1_000).toBeLessThan(5_000)
})
