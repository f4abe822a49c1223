import type { ErrorCode, ProtocolVersion } from '@bridgekeeper/protocol'
import { pathOf } from '../gates/canonical-path.ts'
import type { ClientAddress, RequestFacts } from '../gates/request-facts.ts'
import type { Denied } from '../gates/verdict.ts'
import { Sampler } from '../limiters/sampler.ts'
import type { SecurityLog, System } from '../ports.ts'
import type { AddressGuard } from './address-guard.ts'

/** Entrance of a request: agents use WebSocket, callers use MCP, people use a browser. */
export type Door = 'agent' | 'caller' | 'page'

/** A request before its admission. */
export interface Arrival {
  readonly door: Door
  readonly facts: RequestFacts
  readonly address: ClientAddress
}

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

/** Records refusals, and counts those that are failures of their address. */
export class Refusals {
  readonly #addresses: AddressGuard
  readonly #log: SecurityLog
  readonly #system: System
  readonly #sampler = new Sampler()

  constructor(addresses: AddressGuard, log: SecurityLog, system: System) {
    this.#addresses = addresses
    this.#log = log
    this.#system = system
  }

  /**
   * Records the refusal of a request.
   * @param isFailure whether it counts towards blocking the address; a proxy is never blocked
   * @returns the same refusal
   */
  refuse({ door, facts, address }: Arrival, denied: Denied, isFailure = false): Denied {
    const counted = isFailure && !address.isProxy
    this.record(door, denied.code, address, pathOf(facts.url), counted)
    if (counted) this.#addresses.failed(address)
    return denied
  }

  /** Records an agent that lacks the proof its login needs. Call `refuse` too. */
  recordDowngrade(userId: string, { ip, key }: ClientAddress, version: ProtocolVersion): void {
    const sampled = this.#sampler.take(`downgrade ${userId} ${key}`, this.#system.monotonicMs())
    if (sampled === undefined) return
    this.#log.logSecurityEvent({ event: 'proof_downgrade_rejected', userId, ip, version, ...sampled })
  }

  /**
   * @param path without the query, which may contain a secret
   * @param counted whether it counts towards blocking the address
   */
  record(door: Door, reason: ErrorCode, { ip, key }: ClientAddress, path: string, counted = false): void {
    const kind = counted ? `counted ${reason}` : reason
    const sampled = this.#sampler.take(`${kind} ${key}`, this.#system.monotonicMs())
    if (sampled === undefined) return
    if (reason === 'transport_insecure') {
      this.#log.logSecurityEvent({ event: 'ws_insecure_connection_rejected', ip, url: path, ...sampled })
      return
    }
    if (!AUTHENTICATION.has(reason)) {
      this.#log.logSecurityEvent({ event: EVENTS[door].other, ip, reason, ...sampled })
      return
    }
    const event = EVENTS[door].authentication
    this.#log.logSecurityEvent({ event, ip, reason, counted: counted || undefined, ...sampled })
  }
}
