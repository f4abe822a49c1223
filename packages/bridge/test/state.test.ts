import { createHash } from 'node:crypto'
import { limits, type UpFrame } from '@bridgekeeper/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ConnectionEvent, ConnectionState } from '../src/connection/life.ts'
import { opened, step } from '../src/connection/state.ts'
import { generateChallenge, verifyChallengeResponse } from '../src/gates/challenge.ts'
import { realSystem } from '../src/system.ts'

const CHALLENGE = 'c'.repeat(64)
const context = { userId: 'u', sessionId: 's', nowMs: 0 }
const answer = (text: string) => createHash('sha256').update(text).digest('hex')
const RIGHT = answer(`${CHALLENGE}us`)

const message = (frame: UpFrame, sizeBytes = 100): ConnectionEvent => ({
  type: 'message',
  message: frame,
  sizeBytes,
})
const respond = (response: string) => message({ type: 'challenge_response', response })
const execute = message({
  type: 'tool_execute',
  id: 'i',
  serverName: 's',
  toolName: 't',
  rawArgs: Buffer.from('{}'),
})
const bad: ConnectionEvent = { type: 'bad-message', code: 'message_invalid', detail: '', sizeBytes: 10 }

/** Effects on the log, which other tests check. */
const ASIDE = new Set(['log', 'challenge-failed'])

function run(events: readonly ConnectionEvent[], start: ConnectionState = opened(CHALLENGE)[0]) {
  let state = start
  const effects = events.map((event) => {
    const [next, caused] = step(state, event, context)
    state = next
    return caused
  })
  return { state, last: (effects.at(-1) ?? []).filter(({ type }) => !ASIDE.has(type)) }
}

test('[CHAL.1] each challenge is 32 fresh random bytes in hex', () => {
  const made = new Set(Array.from({ length: 1_000 }, () => generateChallenge(realSystem())))
  expect(made.size).toBe(1_000)
  for (const challenge of made) expect(challenge).toMatch(/^[0-9a-f]{64}$/)
})

test('[CHAL.2] verifies only SHA256(challenge + userId + sessionId) in hex', () => {
  const answers = { challenge: CHALLENGE, userId: 'u', sessionId: 's' }
  expect(verifyChallengeResponse({ ...answers, response: RIGHT })).toBe(true)
  const wrong = [
    '',
    'zz',
    RIGHT.slice(2),
    `${RIGHT}00`,
    `${RIGHT} `,
    answer('other'),
    answer(`${CHALLENGE}su`),
    '€'.repeat(32),
  ]
  for (const response of wrong)
    expect(verifyChallengeResponse({ ...answers, response }), response).toBe(false)
})

test('[CHAL.2] becomes ready at the right answer', () => {
  const { state, last } = run([respond(RIGHT)])
  expect(state.state).toBe('ready')
  expect(last).toEqual([{ type: 'send', message: { type: 'challenge_verified' } }, { type: 'verified' }])
})

test('[CHAL.3] reports two wrong answers and closes at the third, unless a right one comes before it', () => {
  expect(run([respond('x'), respond('y')]).last).toMatchObject([{ message: { error: 'challenge_failed' } }])
  expect(run([respond('x'), respond('y'), respond('z')])).toMatchObject({
    state: { state: 'closed' },
    last: [{ type: 'close', code: 1008, reason: 'challenge_failed' }],
  })
  expect(run([respond('x'), respond('y'), respond(RIGHT)]).state.state).toBe('ready')
})

test('[CHAL.4] closes an unanswered connection at the deadline, and not a ready one', () => {
  expect(run([{ type: 'challenge-timeout' }]).last).toEqual([
    { type: 'close', code: 4408, reason: 'challenge_timeout' },
  ])
  expect(run([respond(RIGHT), { type: 'challenge-timeout' }]).state.state).toBe('ready')
})

test.each<[string, ConnectionEvent]>([
  ['tool_execute', execute],
  ['tool_result', message({ type: 'tool_result', id: 'i', success: true, result: Buffer.from('{}') })],
  ['catalog', message({ type: 'catalog', servers: [] })],
  ['ping', message({ type: 'ping' })],
])('[CHAL.5] before the answer, refuses %s with challenge_required and without effect', (_type, event) => {
  const { state, last } = run([event])
  expect(state.state).toBe('challenging')
  expect(last).toMatchObject([{ type: 'send', message: { type: 'error', error: 'challenge_required' } }])
})

test('[SIZE.3] bounds everything that an unverified peer sends', () => {
  const big = message({ type: 'ping' }, limits.unverifiedBytes)
  expect(run([big]).state.state).toBe('challenging')
  expect(run([big, message({ type: 'ping' }, 1)])).toMatchObject({
    state: { state: 'closed' },
    last: [{ type: 'close', code: 1008 }],
  })
})

test('[MSG.4] answers ten malformed messages in a minute, and closes at the eleventh', () => {
  const tolerated = run([respond(RIGHT), ...Array.from({ length: limits.strikes }, () => bad)])
  expect(tolerated.state.state).toBe('ready')
  expect(tolerated.last).toMatchObject([{ message: { error: 'message_invalid' } }])
  const unverified = run(Array.from({ length: limits.strikes }, () => bad))
  expect(unverified.state.state).toBe('challenging')
  expect(run([bad], unverified.state).last).toMatchObject([{ type: 'close', code: 4400 }])
  expect(run([bad], tolerated.state).last).toEqual([{ type: 'close', code: 4400, reason: 'message_invalid' }])
  const [later] = step(tolerated.state, bad, { ...context, nowMs: limits.strikeWindowMs })
  expect(later).toEqual({ state: 'ready', strikesAtMs: [limits.strikeWindowMs] })
})

test.each<[ConnectionEvent['type'], number, string]>([
  ['replaced', 4509, 'connection_replaced'],
  ['token-expired', 4401, 'token_expired'],
  ['drain', 1001, 'shutting_down'],
])('[STATE.1] closes with the event’s code in any state: %s', (type, code, reason) => {
  const event = { type } as ConnectionEvent
  for (const before of [[], [respond(RIGHT)]]) {
    expect(run([...before, event]).last).toEqual([{ type: 'close', code, reason }])
  }
})

test('[CHAL.6] closes an open challenge at a lock, and no verified connection', () => {
  expect(run([{ type: 'locked' }]).last).toEqual([{ type: 'close', code: 1008, reason: 'challenge_locked' }])
  expect(run([respond(RIGHT), { type: 'locked' }])).toEqual({ state: run([respond(RIGHT)]).state, last: [] })
})

const anyEvent: fc.Arbitrary<ConnectionEvent> = fc.oneof(
  fc.constantFrom<ConnectionEvent>(
    execute,
    bad,
    respond('wrong'),
    message({ type: 'ping' }),
    message({ type: 'catalog', servers: [] }),
    message({ type: 'tool_result', id: 'i', success: true, result: Buffer.from('{}') }),
  ),
  fc
    .constantFrom('challenge-timeout', 'token-expired', 'replaced', 'drain', 'socket-closed')
    .map((type) => ({ type }) as ConnectionEvent),
)

test('[STATE.2] verifies, routes and executes nothing without the right answer, in any order of events', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 40 }), (events) => {
      let [state] = opened(CHALLENGE)
      for (const event of events) {
        const [next, effects] = step(state, event, context)
        for (const effect of effects)
          expect(['send', 'close', 'log', 'challenge-failed']).toContain(effect.type)
        expect(next.state).not.toBe('ready')
        state = next
      }
    }),
    { numRuns: 2_000 },
  )
})

test('[STATE.3] stays closed and does nothing more once closed', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(anyEvent, fc.constant(respond(RIGHT))), { maxLength: 10 }), (events) => {
      for (const event of events)
        expect(step({ state: 'closed' }, event, context)).toEqual([{ state: 'closed' }, []])
    }),
  )
})
