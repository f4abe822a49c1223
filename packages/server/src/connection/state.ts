import {
  type CatalogServer,
  closeCodes,
  codes,
  type DownMessage,
  type ErrorCode,
  limits,
  type ToolExecuteFrame,
  type ToolResultFrame,
  type UpFrame,
  unreachable,
} from '@bridgekeeper/protocol'
import { verifyChallengeResponse } from '../gates/challenge.ts'
import type { SecurityEvent } from '../security-log/events.ts'

/** The life of an agent's connection, as data: no socket, no timer, no clock of its own. */
export type ConnectionState =
  | {
      readonly state: 'challenging'
      readonly challenge: string
      readonly attemptsLeft: number
      readonly bytesLeft: number
      readonly strikesAtMs: Strikes
    }
  | { readonly state: 'ready'; readonly strikesAtMs: Strikes }
  | { readonly state: 'closed' }

/** When messages came that were not in order. */
type Strikes = readonly number[]

export type ConnectionEvent =
  | { readonly type: 'message'; readonly message: UpFrame; readonly sizeBytes: number }
  | {
      readonly type: 'bad-message'
      readonly code: ErrorCode
      readonly detail: string
      readonly sizeBytes: number
    }
  | { readonly type: 'challenge-timeout' }
  | { readonly type: 'token-expired' }
  | { readonly type: 'replaced' }
  | { readonly type: 'locked' }
  | { readonly type: 'revoked' }
  | { readonly type: 'drain' }
  | { readonly type: 'socket-closed' }

export type Effect =
  | { readonly type: 'send'; readonly message: DownMessage }
  | { readonly type: 'close'; readonly code: number; readonly reason: string }
  | { readonly type: 'verified' }
  | { readonly type: 'challenge-failed' }
  | { readonly type: 'log'; readonly event: SecurityEvent }
  | { readonly type: 'catalog'; readonly servers: readonly CatalogServer[] }
  | { readonly type: 'result'; readonly result: ToolResultFrame }
  | { readonly type: 'execute'; readonly call: ToolExecuteFrame }

export type Step = readonly [next: ConnectionState, effects: readonly Effect[]]

/** Whose connection it is, and when the event happened on the monotonic clock. */
export interface StepContext {
  readonly userId: string
  readonly sessionId: string
  readonly nowMs: number
}

const CLOSED: ConnectionState = { state: 'closed' }
const NOTHING: readonly Effect[] = []

/** A fresh connection: the challenge is out, and nothing but its answer counts. */
export function opened(challenge: string, attempts: number = limits.challengeAttempts): Step {
  return [
    {
      state: 'challenging',
      challenge,
      attemptsLeft: attempts,
      bytesLeft: limits.unverifiedBytes,
      strikesAtMs: [],
    },
    [{ type: 'send', message: { type: 'challenge', challenge, expiresIn: limits.challengeMs } }],
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
        ...(current.state === 'challenging' ? [log({ event: 'ws_challenge_failed_invalid_token' })] : []),
      )
    case 'revoked':
      return close(closeCodes.loginRevoked, 'login_revoked')
    case 'drain':
      return close(closeCodes.goingAway, 'shutting_down')
    case 'challenge-timeout':
      if (current.state !== 'challenging') return [current, NOTHING]
      return close(closeCodes.challengeTimeout, 'challenge_timeout', challengeFailed('challenge_timeout'))
    case 'message':
    case 'bad-message':
      return current.state === 'challenging'
        ? challenging(current, event, context)
        : ready(current, event, context)
    default:
      return unreachable(event)
  }
}

type MessageEvent = Extract<ConnectionEvent, { type: 'message' | 'bad-message' }>
type State<S extends ConnectionState['state']> = Extract<ConnectionState, { state: S }>

function challenging(current: State<'challenging'>, event: MessageEvent, context: StepContext): Step {
  const bytesLeft = current.bytesLeft - event.sizeBytes
  if (bytesLeft < 0) return close(closeCodes.policyViolation, 'message_too_large', tooLarge(event.sizeBytes))
  const waiting = { ...current, bytesLeft }
  if (event.type === 'bad-message') return strike(waiting, event, context, badMessage(event))
  const { message } = event
  if (message.type !== 'challenge_response') {
    const attempted: Effect[] =
      message.type === 'tool_execute'
        ? [log({ event: 'ws_unauthorized_tool_execution_attempt', toolName: message.toolName })]
        : []
    return strike(waiting, { code: 'challenge_required', detail: '' }, context, attempted)
  }

  const { userId, sessionId } = context
  const { response = '' } = message
  if (verifyChallengeResponse({ challenge: current.challenge, userId, sessionId, response })) {
    const verified: Effect = { type: 'send', message: { type: 'challenge_verified' } }
    return [
      { state: 'ready', strikesAtMs: [] },
      [log({ event: 'ws_challenge_verified' }), verified, { type: 'verified' }],
    ]
  }
  const attemptsLeft = current.attemptsLeft - 1
  const failed: Effect[] = [challengeFailed('challenge_failed'), { type: 'challenge-failed' }]
  if (attemptsLeft === 0) return close(closeCodes.policyViolation, 'challenge_failed', ...failed)
  return [{ ...waiting, attemptsLeft }, [errorMessage('challenge_failed'), ...failed]]
}

function ready(current: State<'ready'>, event: MessageEvent, context: StepContext): Step {
  if (event.type === 'bad-message') return strike(current, event, context, badMessage(event))
  const { message } = event
  switch (message.type) {
    case 'tool_result':
      return [current, [{ type: 'result', result: message }]]
    case 'catalog':
      return [current, [{ type: 'catalog', servers: message.servers }]]
    case 'tool_execute':
      return [current, [{ type: 'execute', call: message }]]
    case 'ping':
      return [current, [{ type: 'send', message: { type: 'pong' } }]]
    case 'pong':
    case 'challenge_response':
    case 'reauthenticate':
      return [current, NOTHING]
    default:
      return unreachable(message)
  }
}

/** [MSG.4] Messages that are out of order are answered, but a peer that keeps sending them is closed. */
function strike(
  current: State<'ready' | 'challenging'>,
  { code, detail }: { readonly code: ErrorCode; readonly detail: string },
  { nowMs }: StepContext,
  record: readonly Effect[],
): Step {
  const recent = current.strikesAtMs.filter((atMs) => nowMs - atMs < limits.strikeWindowMs)
  if (recent.length >= limits.strikes) return close(closeCodes.messagesInvalid, code, ...record)
  return [{ ...current, strikesAtMs: [...recent, nowMs] }, [errorMessage(code, detail), ...record]]
}

function badMessage({
  code,
  detail,
  sizeBytes,
}: Extract<ConnectionEvent, { type: 'bad-message' }>): Effect[] {
  if (code === 'message_too_large') return [tooLarge(sizeBytes)]
  if (code === 'message_type_unknown') return [log({ event: 'ws_unknown_message_type', messageType: detail })]
  return [log({ event: 'ws_message_parse_error', error: `${code} ${detail}`.trim() })]
}

function tooLarge(size: number): Effect {
  return log({ event: 'ws_message_too_large', size, maxSize: limits.messageBytes })
}

function challengeFailed(reason: ErrorCode): Effect {
  return log({ event: 'ws_challenge_verification_failed', reason })
}

function log(event: SecurityEvent): Effect {
  return { type: 'log', event }
}

function errorMessage(code: ErrorCode, detail = ''): Effect {
  const message = `${codes[code].message} ${detail}`.trim()
  const maxSize = code === 'message_too_large' ? { maxSize: limits.messageBytes } : {}
  return { type: 'send', message: { type: 'error', error: code, message, ...maxSize } }
}

function close(code: number, reason: ErrorCode, ...record: Effect[]): Step {
  return [CLOSED, [...record, { type: 'close', code, reason }]]
}
