import type { ErrorCode, ProtocolVersion } from '@bridgekeeper/protocol'
import type { ClientAddress } from '../gates/client-address.ts'
import { Sampler } from '../gates/sampler.ts'
import type { SecurityLog, System } from '../ports.ts'

/** Which door it was: agents come by WebSocket, callers by MCP, people by browser. */
export type Door = 'agent' | 'caller' | 'page'

const AUTHENTICATION: ReadonlySet<ErrorCode> = new Set([
  'token_missing',
  'token_ambiguous',
  'token_in_url',
  'token_invalid',
  'token_expired',
  'user_unknown',
  'user_suspended',
  'dpop_proof_invalid',
  'login_revoked',
])

const EVENTS = {
  agent: { authentication: 'ws_authentication_failed', other: 'ws_connection_refused' },
  caller: { authentication: 'mcp_authentication_failed', other: 'mcp_request_refused' },
  page: { authentication: 'login_failed', other: 'page_request_refused' },
} as const

/** Puts refusals on record. */
export class Refusals {
  readonly #log: SecurityLog
  readonly #system: System
  readonly #sampler = new Sampler()

  constructor(log: SecurityLog, system: System) {
    this.#log = log
    this.#system = system
  }

  /** An agent without the proof that this login needs; the refusal itself is recorded too. */
  recordDowngrade(userId: string, { ip, key }: ClientAddress, version: ProtocolVersion): void {
    const passedOver = this.#sampler.take(`downgrade ${userId} ${key}`, this.#system.monotonicMs())
    if (passedOver === undefined) return
    const suppressed = passedOver === 0 ? undefined : passedOver
    this.#log.logSecurityEvent({ event: 'proof_downgrade_rejected', userId, ip, version, suppressed })
  }

  /** @param path without query: what stands there may be a secret */
  record(door: Door, reason: ErrorCode, { ip, key }: ClientAddress, path: string): void {
    const passedOver = this.#sampler.take(`${reason} ${key}`, this.#system.monotonicMs())
    if (passedOver === undefined) return
    const suppressed = passedOver === 0 ? undefined : passedOver
    if (reason === 'transport_insecure') {
      this.#log.logSecurityEvent({ event: 'ws_insecure_connection_rejected', ip, url: path, suppressed })
      return
    }
    const event = EVENTS[door][AUTHENTICATION.has(reason) ? 'authentication' : 'other']
    this.#log.logSecurityEvent({ event, ip, reason, suppressed })
  }
}

const NO_FAILURES: ReadonlySet<ErrorCode> = new Set(['token_expired', 'login_revoked', 'dpop_proof_invalid'])

/**
 * Whether this counts towards blocking the address. An expired token does not, nor does that of a login which
 * was ended: they prove an earlier login. Nor does a proof that fails: its token is good, and a key cannot be
 * guessed, but a clock can be wrong.
 * At the callers' door neither does a request without a token, which is how an MCP client finds out where to
 * log in, nor one with a token in its URL: any page can make a browser send those, by an image, and would
 * have its visitors blocked. Upgrades of a browser always bear its Origin, so they never get that far.
 */
export function isFailure(door: Door, reason: ErrorCode): boolean {
  if (reason === 'token_missing' || reason === 'token_in_url') return door === 'agent'
  return AUTHENTICATION.has(reason) && !NO_FAILURES.has(reason)
}
