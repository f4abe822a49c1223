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

/** The life of an agent's connection, as data: no socket, no timer, no clock of its own. */
export type ConnectionState =
  | {
      readonly state: 'challenging'
      readonly challenge: string
      readonly attemptsLeft: number
      readonly bytesLeft: number
    }
  | { readonly state: 'ready' /** When malformed messages came. */; readonly strikesAtMs: readonly number[] }
  | { readonly state: 'closed' }

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
  | { readonly type: 'drain' }
  | { readonly type: 'socket-closed' }

export type Effect =
  | { readonly type: 'send'; readonly message: DownMessage }
  | { readonly type: 'close'; readonly code: number; readonly reason: string }
  | { readonly type: 'verified' }
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
export function opened(challenge: string): Step {
  return [
    {
      state: 'challenging',
      challenge,
      attemptsLeft: limits.challengeAttempts,
      bytesLeft: limits.unverifiedBytes,
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
    case 'token-expired':
      return close(closeCodes.tokenExpired, 'token_expired')
    case 'drain':
      return close(closeCodes.goingAway, 'shutting_down')
    case 'challenge-timeout':
      if (current.state !== 'challenging') return [current, NOTHING]
      return close(closeCodes.challengeTimeout, 'challenge_timeout')
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
  if (bytesLeft < 0) return close(closeCodes.policyViolation, 'message_too_large')
  const waiting = { ...current, bytesLeft }
  if (event.type === 'bad-message') return [waiting, [errorMessage(event.code, event.detail)]]
  if (event.message.type !== 'challenge_response') return [waiting, [errorMessage('challenge_required')]]

  const { response } = event.message
  const { userId, sessionId } = context
  if (verifyChallengeResponse({ challenge: current.challenge, userId, sessionId, response })) {
    return [
      { state: 'ready', strikesAtMs: [] },
      [{ type: 'send', message: { type: 'challenge_verified' } }, { type: 'verified' }],
    ]
  }
  const attemptsLeft = current.attemptsLeft - 1
  if (attemptsLeft === 0) return close(closeCodes.policyViolation, 'challenge_failed')
  return [{ ...waiting, attemptsLeft }, [errorMessage('challenge_failed')]]
}

function ready(current: State<'ready'>, event: MessageEvent, context: StepContext): Step {
  if (event.type === 'bad-message') return strike(current, event, context)
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
      return [current, NOTHING]
    default:
      return unreachable(message)
  }
}

/** [MSG.4] Malformed messages are answered, but a peer that keeps sending them is closed. */
function strike(
  current: State<'ready'>,
  event: Extract<ConnectionEvent, { type: 'bad-message' }>,
  context: StepContext,
): Step {
  const { nowMs } = context
  const recent = current.strikesAtMs.filter((atMs) => nowMs - atMs < limits.strikeWindowMs)
  if (recent.length >= limits.strikes) return close(closeCodes.messagesInvalid, event.code)
  return [{ state: 'ready', strikesAtMs: [...recent, nowMs] }, [errorMessage(event.code, event.detail)]]
}

function errorMessage(code: ErrorCode, detail = ''): Effect {
  const message = `${codes[code].message} ${detail}`.trim()
  const maxSize = code === 'message_too_large' ? { maxSize: limits.messageBytes } : {}
  return { type: 'send', message: { type: 'error', error: code, message, ...maxSize } }
}

function close(code: number, reason: string): Step {
  return [CLOSED, [{ type: 'close', code, reason }]]
}
