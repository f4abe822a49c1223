import { limits, type UpFrame } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import type { ConnectionEvent, ConnectionState, Renewal, RenewalFacts } from '../../src/connection/life.ts'
import { opened, step } from '../../src/connection/state.ts'
import type { ExpectedProof } from '../../src/gates/proof.ts'

const CONTEXT = { userId: 'ann', sessionId: 's1', nowMs: 0 }
const PRINCIPAL = { userId: 'ann', sessionId: 's1', deviceId: 'd1', expiresAtMs: 1 }
const EXPECTED: ExpectedProof = {
  purpose: 'renew',
  connection: {
    connectionId: 'c1',
    offeredSubprotocols: 'bridgekeeper.v2',
    exporter: undefined,
    dialled: [],
  },
  userId: 'ann',
  sessionId: 's1',
  deviceId: 'd1',
  keys: [],
  bridgeKeyId: 'k1',
  tokenHash: '',
}
const DUE: RenewalFacts = { expected: EXPECTED, principal: undefined }
const FRESH: RenewalFacts = { expected: EXPECTED, principal: PRINCIPAL }
const NONE: Renewal['step'] = { is: 'none' }
const TOKEN: Renewal['step'] = { is: 'token', dropped: false }

function ready(of: Renewal['step'] | undefined, stale = 0): ConnectionState {
  return { state: 'ready', renewal: of && { step: of, stale }, strikesAtMs: [] }
}
const renew = (facts: RenewalFacts): ConnectionEvent => ({ type: 'renew', challenge: 'next', ...facts })
const REFUSED: ConnectionEvent = { type: 'token-refused', code: 'token_invalid' }

test.each<[string, ConnectionState, ConnectionEvent]>([
  ['a renewal without a device', ready(undefined), renew(DUE)],
  ['a refused token without a device', ready(undefined), REFUSED],
  ['a due renewal while a token is verified', ready(TOKEN), renew(DUE)],
  ['a due renewal while a challenge is open', ready({ is: 'open', challenge: 'c', ...DUE }), renew(DUE)],
  ['a token that nobody waits for', ready(NONE), renew(FRESH)],
  ['a refused token that nobody waits for', ready(NONE), REFUSED],
  ['a confirmation of a ready connection', ready(NONE), { type: 'confirmed' }],
  ['a confirmation before the proof', opened('c')[0], { type: 'confirmed' }],
  ['a renewal before the proof', opened('c', 1, EXPECTED)[0], renew(DUE)],
  ['a deadline of a challenge without a device', ready(undefined), { type: 'challenge-timeout' }],
])('[PROOF.10] [PROOF.11] ignores %s', (_title, before, event) => {
  const [next, effects] = step(before, event, CONTEXT)
  expect(next).toBe(before)
  expect(effects).toEqual([])
})

test.each<[string, Renewal['step'], RenewalFacts]>([
  ['a due renewal', NONE, DUE],
  ['a fresh token', TOKEN, FRESH],
])(
  '[PROOF.10] [PROOF.11] challenges for %s, and keeps the number of stale challenges',
  (_title, before, facts) => {
    const [next, effects] = step(ready(before, 2), renew(facts), CONTEXT)
    expect(next).toEqual(ready({ is: 'open', challenge: 'next', ...facts }, 2))
    expect(effects).toEqual([
      {
        type: 'send',
        message: {
          type: 'challenge',
          challenge: 'next',
          expiresIn: limits.challengeMs,
          proof: { connectionId: 'c1', keyId: 'k1', binding: 'none' },
        },
      },
      { type: 'challenge-sent' },
    ])
  },
)

test('[PROOF.3] asks for a binding to TLS if the connection has an exporter', () => {
  const connection = { ...EXPECTED.connection, exporter: 'exporter' }
  const [, effects] = opened('c', 1, { ...EXPECTED, connection })
  expect(effects).toMatchObject([{ message: { proof: { binding: 'tls-exporter' } } }])
})

test('[PROOF.9] a lock of open challenges leaves a device whose look-up runs', () => {
  const confirming: ConnectionState = {
    state: 'confirming',
    countersigned: Buffer.alloc(0),
    bytesLeft: 10,
    strikesAtMs: [],
  }
  expect(step(confirming, { type: 'locked' }, CONTEXT)).toEqual([confirming, []])
})

test('[CATALOG.1] reads absent members of a catalog as a whole one from which nothing is removed', () => {
  const catalogOf = (frame: Omit<Extract<UpFrame, { type: 'catalog' }>, 'type' | 'servers'>) =>
    step(
      ready(undefined),
      { type: 'message', message: { type: 'catalog', servers: [], ...frame }, sizeBytes: 7 },
      CONTEXT,
    )[1]
  const whole = { type: 'catalog', servers: [], more: false, only: false, removed: [], sizeBytes: 7 }
  expect(catalogOf({})).toEqual([whole])
  expect(catalogOf({ more: true, only: true, removed: ['a'] })).toEqual([
    { ...whole, more: true, only: true, removed: ['a'] },
  ])
})

test('[CHAL.3] counts a proof without an echo as a wrong answer to the echo', () => {
  const [state] = opened('c', 2)
  const message: UpFrame = { type: 'challenge_response' }
  const [next, effects] = step(state, { type: 'message', message, sizeBytes: 10 }, CONTEXT)
  expect(next).toMatchObject({ state: 'challenging', attemptsLeft: 1 })
  expect(effects).toContainEqual({ type: 'challenge-failed' })
})

test('[SIZE.3] logs the size of the frame with which an unverified peer exceeds its limit', () => {
  const [state] = opened('c')
  const [, effects] = step(
    state,
    { type: 'message', message: { type: 'ping' }, sizeBytes: limits.unverifiedBytes + 1 },
    CONTEXT,
  )
  expect(effects[0]).toMatchObject({
    event: { size: limits.unverifiedBytes + 1, maxSize: limits.messageBytes },
  })
})
