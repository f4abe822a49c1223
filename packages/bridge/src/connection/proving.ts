import { closeCodes, limits, type Proof } from '@bridgekeeper/protocol'
import { type ExpectedProof, type Proven, verifyProof } from '../gates/proof.ts'
import { deny, type Verdict } from '../gates/verdict.ts'
import {
  type ConnectionEvent,
  challengeFailed,
  close,
  type Effect,
  errorMessage,
  log,
  NOTHING,
  type Renewal,
  type State,
  type Step,
  type StepContext,
  strike,
  withStrike,
} from './life.ts'

/** The part of a connection's life that only devices have: proving their key, at first and again. */

/** @param expected facts that a device must prove; without it, the challenge asks for the echo */
export function challengeMessage(challenge: string, expected: ExpectedProof | undefined): Effect {
  const message = { type: 'challenge', challenge, expiresIn: limits.challengeMs } as const
  if (expected === undefined) return { type: 'send', message }
  const { connectionId, exporter } = expected.connection
  const binding = exporter === undefined ? 'none' : 'tls-exporter'
  return {
    type: 'send',
    message: { ...message, proof: { connectionId, keyId: expected.bridgeKeyId, binding } },
  }
}

/**
 * [PROOF.3] Checks the first proof. An invalid one is never an honest mistake, so there is no second attempt.
 */
export function proven(
  { challenge, bytesLeft, strikesAtMs }: State<'challenging'>,
  expected: ExpectedProof,
  proof: Proof | undefined,
): Step {
  const verdict = judged(expected, challenge, proof)
  if (verdict.allowed) {
    const { previous, countersigned } = verdict.value
    return [{ state: 'confirming', countersigned, bytesLeft, strikesAtMs }, [{ type: 'confirm', previous }]]
  }
  return close(closeCodes.policyViolation, 'proof_failed', challengeFailed('proof_failed', verdict.detail), {
    type: 'challenge-failed',
  })
}

/** The device is the one and only: the connection is ready. */
export function confirmed({ countersigned: bytes }: State<'confirming'>): Step {
  return [
    { state: 'ready', renewal: { step: { is: 'none' }, stale: 0 }, strikesAtMs: [] },
    [log({ event: 'ws_challenge_verified' }), { type: 'countersign', bytes }, { type: 'verified' }],
  ]
}

/** [PROOF.10] Challenges a ready connection; calls continue. */
export function renewing(
  current: State<'ready'>,
  event: Extract<ConnectionEvent, { type: 'renew' | 'token-refused' }>,
): Step {
  const { renewal } = current
  if (renewal === undefined) return [current, NOTHING]
  const isForToken = event.type === 'token-refused' || event.principal !== undefined
  if (renewal.step.is !== (isForToken ? 'token' : 'none')) return [current, NOTHING]
  if (event.type === 'token-refused') return tokenRefused(current, renewal, event.code)
  const { challenge, expected, principal } = event
  return [
    { ...current, renewal: { ...renewal, step: { is: 'open', challenge, expected, principal } } },
    [challengeMessage(challenge, expected), { type: 'challenge-sent' }],
  ]
}

/** The renewal that gave way to the token is still due. */
function tokenRefused(
  current: State<'ready'>,
  { step, stale }: Renewal,
  code: Extract<ConnectionEvent, { type: 'token-refused' }>['code'],
): Step {
  const wasDropped = step.is === 'token' && step.dropped
  return [
    { ...current, renewal: { step: { is: 'none' }, stale } },
    [
      errorMessage(code),
      log({ event: 'proof_renewal_failed', reason: code }),
      ...(wasDropped ? [{ type: 'renew' } as const] : []),
    ],
  ]
}

/**
 * [PROOF.11] Handles a fresh token. An open challenge is superseded by the one that binds the token. The
 * agent answers all challenges in order, so the position of an answer identifies its challenge.
 */
export function reauthenticate(current: State<'ready'>, token: string, context: StepContext): Step {
  const { renewal } = current
  if (renewal === undefined) return strike(current, { code: 'proof_required', detail: '' }, context, [])
  const { step, stale } = renewal
  const isOpen = step.is === 'open'
  if (step.is === 'token' || (isOpen && step.principal !== undefined))
    return strike(
      current,
      { code: 'message_invalid', detail: 'Another token is still being verified.' },
      context,
      [],
    )
  // Each token costs a verification, so that their number is bounded like that of bad messages.
  const strikesAtMs = withStrike(current.strikesAtMs, context.nowMs)
  if (strikesAtMs === undefined) return close(closeCodes.messagesInvalid, 'message_invalid')
  return [
    {
      ...current,
      strikesAtMs,
      renewal: { step: { is: 'token', dropped: isOpen }, stale: isOpen ? stale + 1 : stale },
    },
    [{ type: 'reauthenticate', token }],
  ]
}

/** [PROOF.10] Handles an answer on a ready connection. */
export function answered(current: State<'ready'>, proof: Proof | undefined): Step {
  const { renewal } = current
  if (renewal === undefined) return [current, NOTHING]
  const { step, stale } = renewal
  if (stale > 0) return [{ ...current, renewal: { step, stale: stale - 1 } }, NOTHING]
  if (step.is !== 'open') return [current, NOTHING]
  const { challenge, expected, principal } = step
  const verdict = judged(expected, challenge, proof)
  if (verdict.allowed) {
    return [
      { ...current, renewal: { step: { is: 'none' }, stale } },
      [
        { type: 'countersign', bytes: verdict.value.countersigned },
        { type: 'renewed', expected, principal },
      ],
    ]
  }
  return close(
    closeCodes.policyViolation,
    'proof_failed',
    log({ event: 'proof_renewal_failed', reason: 'proof_failed', check: verdict.detail }),
    { type: 'challenge-failed' },
  )
}

function judged(expected: ExpectedProof, challenge: string, proof: Proof | undefined): Verdict<Proven> {
  return proof === undefined ? deny('proof_failed', 'missing') : verifyProof(expected, challenge, proof)
}
