import { closeCodes, limits, unreachable } from '@bridgekeeper/protocol'
import { verifyChallengeResponse } from '../gates/challenge.ts'
import type { ExpectedProof } from '../gates/proof.ts'
import {
  type BadMessageEvent,
  CLOSED,
  type ConnectionEvent,
  type ConnectionState,
  challengeFailed,
  close,
  type Effect,
  errorMessage,
  log,
  type MessageEvent,
  NOTHING,
  type State,
  type Step,
  type StepContext,
  strike,
} from './life.ts'
import { answered, challengeMessage, confirmed, proven, reauthenticate, renewing } from './proving.ts'

/** Verified by the echo, without strikes: one value shared by all such connections. */
const READY: ConnectionState = { state: 'ready', renewal: undefined, strikesAtMs: [] }

/**
 * A new connection: its challenge was sent, and it accepts only the answer.
 * @param attempts at the echo @param expected facts that a device must prove; without it, the challenge asks
 * for the echo
 */
export function opened(
  challenge: string,
  attempts: number = limits.challengeAttempts,
  expected?: ExpectedProof,
): Step {
  return [
    {
      state: 'challenging',
      challenge,
      expected,
      attemptsLeft: attempts,
      bytesLeft: limits.unverifiedBytes,
      strikesAtMs: [],
    },
    [challengeMessage(challenge, expected)],
  ]
}

export function step(current: ConnectionState, event: ConnectionEvent, context: StepContext): Step {
  if (current.state === 'closed') return [current, NOTHING]
  switch (event.type) {
    case 'socket-closed':
      return [CLOSED, NOTHING]
    case 'replaced':
      return close(closeCodes.replaced, 'connection_replaced')
    case 'locked':
      if (current.state !== 'challenging') return [current, NOTHING]
      return close(closeCodes.policyViolation, 'challenge_locked')
    case 'token-expired':
      return close(
        closeCodes.tokenExpired,
        'token_expired',
        ...(current.state === 'ready' ? [] : [log({ event: 'ws_challenge_failed_invalid_token' })]),
      )
    case 'drain':
      return close(closeCodes.goingAway, 'shutting_down')
    case 'challenge-timeout':
      return challengeTimeout(current)
    case 'confirmed':
      return current.state === 'confirming' ? confirmed(current) : [current, NOTHING]
    case 'denied':
      return close(
        event.code === 'internal_error' ? closeCodes.internalError : closeCodes.loginRevoked,
        event.code,
      )
    case 'renew':
    case 'token-refused':
      return current.state === 'ready' ? renewing(current, event) : [current, NOTHING]
    case 'message':
    case 'bad-message':
      return current.state === 'ready' ? ready(current, event, context) : unverified(current, event, context)
    default:
      return unreachable(event)
  }
}

/** [CHAL.4] [PROOF.10] Closes a connection whose challenge was not answered in time, at the start or at a renewal. */
function challengeTimeout(current: State<'challenging' | 'confirming' | 'ready'>): Step {
  if (current.state !== 'ready')
    return close(closeCodes.challengeTimeout, 'challenge_timeout', challengeFailed('challenge_timeout'))
  if (current.renewal === undefined) return [current, NOTHING]
  const failed = log({ event: 'proof_renewal_failed', reason: 'challenge_timeout' })
  return close(closeCodes.challengeTimeout, 'challenge_timeout', failed)
}

function unverified(
  current: State<'challenging' | 'confirming'>,
  event: MessageEvent,
  context: StepContext,
): Step {
  const bytesLeft = current.bytesLeft - event.sizeBytes
  if (bytesLeft < 0) return close(closeCodes.policyViolation, 'message_too_large', tooLarge(event.sizeBytes))
  const waiting = { ...current, bytesLeft }
  if (event.type === 'bad-message') return strike(waiting, event, context, badMessage(event))
  const { message } = event
  if (message.type === 'challenge_response' && waiting.state === 'challenging') {
    return waiting.expected === undefined
      ? echoed(waiting, message.response, context)
      : proven(waiting, waiting.expected, message.proof)
  }
  const attempted: Effect[] =
    message.type === 'tool_execute'
      ? [log({ event: 'ws_unauthorized_tool_execution_attempt', toolName: message.toolName })]
      : []
  return strike(waiting, { code: 'challenge_required', detail: '' }, context, attempted)
}

function echoed(
  current: State<'challenging'>,
  response: string | undefined,
  { userId, sessionId }: StepContext,
): Step {
  const { challenge } = current
  if (verifyChallengeResponse({ challenge, userId, sessionId, response: response ?? '' })) {
    const verified: Effect = { type: 'send', message: { type: 'challenge_verified' } }
    return [READY, [log({ event: 'ws_challenge_verified' }), verified, { type: 'verified' }]]
  }
  const attemptsLeft = current.attemptsLeft - 1
  const failed: Effect[] = [challengeFailed('challenge_failed'), { type: 'challenge-failed' }]
  if (attemptsLeft === 0) return close(closeCodes.policyViolation, 'challenge_failed', ...failed)
  return [{ ...current, attemptsLeft }, [errorMessage('challenge_failed'), ...failed]]
}

function ready(current: State<'ready'>, event: MessageEvent, context: StepContext): Step {
  if (event.type === 'bad-message') return strike(current, event, context, badMessage(event))
  const { message } = event
  switch (message.type) {
    case 'tool_result':
      return [current, [{ type: 'result', result: message }]]
    case 'catalog':
      return [
        current,
        [
          {
            type: 'catalog',
            servers: message.servers,
            more: message.more === true,
            only: message.only === true,
            removed: message.removed ?? [],
            sizeBytes: event.sizeBytes,
          },
        ],
      ]
    case 'tool_execute':
      return [current, [{ type: 'execute', call: message }]]
    case 'accepted':
    case 'message':
    case 'end':
      return [current, [{ type: 'exchange', frame: message }]]
    case 'ping':
      return [current, [{ type: 'send', message: { type: 'pong' } }]]
    case 'credit':
      return [current, [{ ...message, sizeBytes: event.sizeBytes }]]
    case 'pong':
      return [current, NOTHING]
    case 'challenge_response':
      return answered(current, message.proof)
    case 'reauthenticate':
      return reauthenticate(current, message.token, context)
    default:
      return unreachable(message)
  }
}

function badMessage({ code, detail, sizeBytes }: BadMessageEvent): Effect[] {
  if (code === 'message_too_large') return [tooLarge(sizeBytes)]
  if (code === 'message_type_unknown') return [log({ event: 'ws_unknown_message_type', messageType: detail })]
  return [log({ event: 'ws_message_parse_error', error: `${code} ${detail}`.trim() })]
}

function tooLarge(size: number): Effect {
  return log({ event: 'ws_message_too_large', size, maxSize: limits.messageBytes })
}
