import type { KeyObject } from 'node:crypto'
import { limits } from '@bridgekeeper/protocol'
import type { FailureLimit } from './admission/address-guard.ts'
import type { MayEnrol } from './devices/device-registry.ts'
import type { FingerprintPolicy } from './gates/fingerprint.ts'
import type { TlsMode } from './gates/front-door.ts'
import type { Verdict } from './gates/verdict.ts'
import type { ConnectionLimits } from './limiters/connection-caps.ts'
import type { RateLimits } from './limiters/rate-limit.ts'
import type { DeviceStore } from './ports/devices.ts'
import type { Revocations, SessionStore } from './ports/sessions.ts'
import type { BlockStore, CallTimesStore, FingerprintStore, SecurityLog, System, UserStore } from './ports.ts'
import type { AccessTokens } from './tokens/access-tokens.ts'
import type { AuthenticatorOptions } from './tokens/authenticator.ts'

export const DEFAULT_CALL_TIMEOUT_MS = 60_000
export const DEFAULT_MAX_CALL_MS = 3_600_000
export const DEFAULT_MAX_PENDING_CALLS = 64
export const DEFAULT_MAX_BODY_BYTES = limits.payloadBytes

/** Options of a bridge. Authentication takes one of three forms: see `AuthenticatorOptions`. */
export interface BridgeOptions extends AuthenticatorOptions {
  /** Cookie that may hold the token instead of a bearer header. Default `accessToken`. */
  readonly cookie?: string
  /** Time limit of each call after its last sign of progress. Default 60,000. */
  readonly callTimeoutMs?: number
  /** Longest duration of a call that shows progress, at least `callTimeoutMs`. Default 3,600,000. */
  readonly maxCallMs?: number
  /** Longest body of a request at `/mcp`, from 1 MiB to 64 MiB. Default 64 MiB. */
  readonly maxBodyBytes?: number
  /** Calls that may wait for one agent. Default 64. */
  readonly maxPendingCalls?: number
  /**
   * Longest name of a tool or prompt on `/mcp`, 24 to 64. Clients add a prefix of their own, and drop tools whose name
   * exceeds 60 or 64 characters. Default 48.
   */
  readonly nameChars?: number
  /** Receives security events. Default: JSON lines on standard output. */
  readonly securityLog?: SecurityLog
  /**
   * Place of TLS termination: the bridge, a trusted proxy, or none. Default: the bridge; outside of
   * production the machine itself may connect without TLS.
   */
  readonly tls?: TlsMode
  /** Addresses and ranges of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are trusted. */
  readonly trustedProxies?: readonly string[]
  /** The bridge's own addresses, e.g. `https://bridge.example.com`. A Host header must name one. */
  readonly publicUrls?: readonly string[]
  /**
   * Issuers of access tokens for this bridge, where MCP clients log in (RFC 9728). Resources are named under
   * the first of `publicUrls`. Default: none, clients bring a token.
   */
  readonly authorizationServers?: readonly string[]
  /** Further origins whose pages may use the bridge. */
  readonly allowedOrigins?: readonly string[]
  /** Default: 100 calls a minute per user, then a block of 15 minutes. */
  readonly rateLimits?: RateLimits
  /** Failures that block an address. Default: 10 within a minute, for an hour. */
  readonly addressFailures?: FailureLimit
  readonly connectionLimits?: ConnectionLimits
  /** Reaction to a login from another address or program. Default: log it. */
  readonly fingerprints?: FingerprintPolicy
  /** Key of fingerprints, at least 32 bytes. Default: random, so that a restart forgets all fingerprints. */
  readonly fingerprintKey?: Uint8Array
  /**
   * Keys of MCP sessions, 32 bytes each: the first makes their ids, each reads them. Default: random, so that clients
   * must begin other sessions after a restart.
   */
  readonly sessionKeys?: readonly Uint8Array[]
  /** Exchanges revocations with other processes. Default: none. */
  readonly revocations?: Revocations
  /** Durable stores. Default: none. */
  readonly stores?: BridgeStores
  /**
   * Device enrolment under `/api/devices`. Needs `proof`, and `publicUrls` as the addresses that devices
   * dial. Default: off.
   */
  readonly enrolment?: EnrolmentOptions
  /** Enrolled devices, which prove their key. Default: no device can connect. */
  readonly proof?: ProofOptions
  /**
   * Whether agents without a device key may connect in production: v1 agents, and v2 agents with a plain
   * token. Never those of a user who has or ever had a device. Default: no.
   */
  readonly allowV1?: boolean
  /** Whether this is production. Default: from NODE_ENV. */
  readonly production?: boolean
  /** Clock and randomness; tests pass their own. */
  readonly system?: System
}

export interface EnrolmentOptions {
  readonly sessions: SessionStore
  readonly users: Pick<UserStore, 'findById'>
  /** Makes devices' tokens, which the bridge's authenticator must accept. */
  readonly tokens: Pick<AccessTokens, 'deviceToken'>
  /**
   * Decides for which user a token may enrol a device. Default: any token without scopes, resource or key, such as an app's own
   * users have.
   */
  readonly mayEnrol?: (token: string) => Promise<Verdict<MayEnrol>>
}

export interface ProofOptions {
  readonly devices: DeviceStore
  /** The installation's private key, Ed25519, the same on every node. Agents pin its public half. */
  readonly key: KeyObject
}

export interface BridgeStores {
  readonly blocks?: BlockStore
  readonly fingerprints?: FingerprintStore
  readonly callTimes?: CallTimesStore
}
