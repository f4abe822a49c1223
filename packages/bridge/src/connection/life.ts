import {
  closeCodes,
  codes,
  type DownMessage,
  type ErrorCode,
  limits,
  type ToolExecuteFrame,
  type ToolResultFrame,
  type UpFrame,
} from '@bridgekeeper/protocol'
import type { ExpectedProof } from '../gates/proof.ts'
import type { Principal } from '../ports.ts'
import type { SecurityEvent } from '../security-log/events.ts'
import type { CatalogPart } from './catalog-parts.ts'

/** The life of an agent's connection as data: no socket, timer or clock. */
export type ConnectionState =
  | {
      readonly state: 'challenging'
      readonly challenge: string
      /** The proof that a device must give; without it, the echo is used. */
      readonly expected: ExpectedProof | undefined
      readonly attemptsLeft: number
      readonly bytesLeft: number
      readonly strikesAtMs: Strikes
    }
  | {
      /** The proof is valid; the check for a copied device is pending. */
      readonly state: 'confirming'
      readonly countersigned: Buffer
      readonly bytesLeft: number
      readonly strikesAtMs: Strikes
    }
  | {
      readonly state: 'ready'
      /** `undefined` if no device proved itself. */
      readonly renewal: Renewal | undefined
      readonly strikesAtMs: Strikes
    }
  | { readonly state: 'closed' }

export type State<S extends ConnectionState['state']> = Extract<ConnectionState, { state: S }>

/** Times of recent messages that were refused. */
type Strikes = readonly number[]

/** State of the next proof on a device's connection. */
export interface Renewal {
  readonly step: RenewalStep
  /** Number of pending answers to superseded challenges. */
  readonly stale: number
}

type RenewalStep =
  | { readonly is: 'none' }
  /** The bridge is verifying a token that the agent sent. @see proving.ts for `dropped` */
  | { readonly is: 'token'; readonly dropped: boolean }
  | ({ readonly is: 'open'; readonly challenge: string } & RenewalFacts)

/** Requirements of a renewal. */
export interface RenewalFacts {
  readonly expected: ExpectedProof
  /** Set if the renewal binds a fresh token. */
  readonly principal: Principal | undefined
}

export type ConnectionEvent =
  | { readonly type: 'message'; readonly message: UpFrame; readonly sizeBytes: number }
  | {
      readonly type: 'bad-message'
      readonly code: ErrorCode
      readonly detail: string
      readonly sizeBytes: number
    }
  | { readonly type: 'challenge-timeout' }
  | { readonly type: 'confirmed' }
  /** A lookup, or an event elsewhere, ends this connection for good. */
  | { readonly type: 'denied'; readonly code: ErrorCode }
  /** The device must prove itself again. */
  | ({ readonly type: 'renew'; readonly challenge: string } & RenewalFacts)
  | { readonly type: 'token-refused'; readonly code: ErrorCode }
  | { readonly type: 'token-expired' }
  | { readonly type: 'replaced' }
  | { readonly type: 'locked' }
  | { readonly type: 'drain' }
  | { readonly type: 'socket-closed' }

export type MessageEvent = Extract<ConnectionEvent, { type: 'message' | 'bad-message' }>
export type BadMessageEvent = Extract<ConnectionEvent, { type: 'bad-message' }>

export type Effect = LifeEffect | DataEffect

/** An effect of authentication, renewal or closing. */
type LifeEffect =
  | { readonly type: 'send'; readonly message: DownMessage }
  | { readonly type: 'close'; readonly code: number; readonly reason: string }
  | { readonly type: 'verified' }
  | { readonly type: 'challenge-failed' }
  /** Checks whether the device was copied; the event `confirmed` or `denied` answers. */
  | { readonly type: 'confirm'; readonly previous: string }
  /** Signs these bytes with the bridge's key, for `challenge_verified`. */
  | { readonly type: 'countersign'; readonly bytes: Buffer }
  /** Verifies the token; the event `renew` or `token-refused` answers. */
  | { readonly type: 'reauthenticate'; readonly token: string }
  /** Looks up the facts of a renewal; the event `renew` answers. */
  | { readonly type: 'renew' }
  | { readonly type: 'challenge-sent' }
  | ({ readonly type: 'renewed' } & RenewalFacts)
  | { readonly type: 'log'; readonly event: SecurityEvent }

/** A data frame of a verified agent, which the state machine passes on. */
export type DataEffect =
  | ({ readonly type: 'catalog' } & CatalogPart)
  | { readonly type: 'result'; readonly result: ToolResultFrame }
  | { readonly type: 'execute'; readonly call: ToolExecuteFrame }
  | { readonly type: 'exchange'; readonly frame: ExchangeFrame }
  /** The agent can take more of a payload. */
  | { readonly type: 'credit'; readonly id: string; readonly bytes: number; readonly sizeBytes: number }

/** A frame of an exchange that the bridge opened. */
export type ExchangeFrame = Extract<UpFrame, { type: 'accepted' | 'message' | 'end' }>

export type Step = readonly [next: ConnectionState, effects: readonly Effect[]]

/** The connection's login, and the event's time on the monotonic clock. */
export interface StepContext {
  readonly userId: string
  readonly sessionId: string
  readonly nowMs: number
}

export const CLOSED: ConnectionState = { state: 'closed' }
export const NOTHING: readonly Effect[] = []

/** [MSG.4] Refuses an invalid or unexpected message; closes the connection if the peer sends too many. */
export function strike(
  current: State<'ready' | 'challenging' | 'confirming'>,
  { code, detail }: { readonly code: ErrorCode; readonly detail: string },
  { nowMs }: StepContext,
  record: readonly Effect[],
): Step {
  const strikesAtMs = withStrike(current.strikesAtMs, nowMs)
  if (strikesAtMs === undefined) return close(closeCodes.messagesInvalid, code, ...record)
  return [{ ...current, strikesAtMs }, [errorMessage(code, detail), ...record]]
}

/** Adds a strike; `undefined` if that was one too many. */
export function withStrike(strikesAtMs: Strikes, nowMs: number): Strikes | undefined {
  const recent = strikesAtMs.filter((atMs) => nowMs - atMs < limits.strikeWindowMs)
  return recent.length >= limits.strikes ? undefined : [...recent, nowMs]
}

/** @param check the part of the answer that was wrong */
export function challengeFailed(reason: ErrorCode, check?: string): Effect {
  return log({ event: 'ws_challenge_verification_failed', reason, check })
}

export function log(event: SecurityEvent): Effect {
  return { type: 'log', event }
}

export function errorMessage(code: ErrorCode, detail = ''): Effect {
  const message = `${codes[code].message} ${detail}`.trim()
  const maxSize = code === 'message_too_large' ? { maxSize: limits.messageBytes } : {}
  return { type: 'send', message: { type: 'error', error: code, message, ...maxSize } }
}

export function close(code: number, reason: ErrorCode, ...record: Effect[]): Step {
  return [CLOSED, [...record, { type: 'close', code, reason }]]
}
