import type { KeyObject } from 'node:crypto'
import type { MayEnrol } from './devices/device-registry.ts'
import type { FingerprintPolicy } from './gates/fingerprint.ts'
import type { TlsMode } from './gates/transport.ts'
import type { Verdict } from './gates/verdict.ts'
import type { FailureLimit } from './limiters/address-failures.ts'
import type { ConnectionLimits } from './limiters/connection-caps.ts'
import type { RateLimits } from './limiters/rate-limit.ts'
import type { DeviceStore } from './ports/devices.ts'
import type { Revocations, SessionStore } from './ports/sessions.ts'
import type { BlockStore, CallTimesStore, FingerprintStore, SecurityLog, System, UserStore } from './ports.ts'
import type { AccessTokens } from './tokens/access-tokens.ts'
import type { AuthenticatorOptions } from './tokens/authenticator.ts'

/** What a bridge is made of. Who may come in is told in one of three ways: see `AuthenticatorOptions`. */
export interface BridgeOptions extends AuthenticatorOptions {
  /** The cookie that may hold the token, where it is no bearer token. Default `accessToken`. */
  readonly cookie?: string
  /** Time limit of each call. Default 60,000. */
  readonly callTimeoutMs?: number
  /** Calls that may wait for one agent. Default 64. */
  readonly maxPendingCalls?: number
  /** Where security events go. Default: JSON lines on standard output. */
  readonly securityLog?: SecurityLog
  /**
   * Whether TLS ends here, at a trusted proxy, or nowhere. Default: here, and outside of production the
   * machine itself may connect in the clear.
   */
  readonly tls?: TlsMode
  /** Addresses and ranges of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` count. */
  readonly trustedProxies?: readonly string[]
  /** The bridge's own addresses, e.g. `https://bridge.example.com`: what a Host header may name. */
  readonly publicUrls?: readonly string[]
  /**
   * Issuers whose access tokens are for this bridge: MCP clients are sent there to log in (RFC 9728). The
   * resources are named under the first of `publicUrls`. Default: clients bring a token along.
   */
  readonly authorizationServers?: readonly string[]
  /** Origins whose pages may use the bridge, besides its own. */
  readonly allowedOrigins?: readonly string[]
  /** Default: 100 calls a minute for each user, else refused for 15 minutes. */
  readonly rateLimits?: RateLimits
  /** Failures that block an address. Default: 10 within a minute, for an hour. */
  readonly addressFailures?: FailureLimit
  readonly connectionLimits?: ConnectionLimits
  /** What happens when a login comes from elsewhere than before. Default: it is put on record. */
  readonly fingerprints?: FingerprintPolicy
  /** The key of fingerprints, at least 32 bytes. Default: a fresh one, which a restart forgets. */
  readonly fingerprintKey?: Uint8Array
  /** Tells this bridge what other processes revoke, and them what it revokes. Default: nobody does. */
  readonly revocations?: Revocations
  /** What outlives the process. Default: nothing does. */
  readonly stores?: BridgeStores
  /**
   * Machines enrol here, under `/api/devices`, and prove their keys from then on: it goes with `proof`, and with
   * `publicUrls`, which name what they dial. Default: none does.
   */
  readonly enrolment?: EnrolmentOptions
  /** Enrolled devices, which prove their key. Default: no device can connect. */
  readonly proof?: ProofOptions
  /**
   * Whether agents without a device's key may connect in production too: those of v1, and those of v2 with a plain
   * token. Never those of a user who has or ever had a device. Default: they may not.
   */
  readonly allowV1?: boolean
  /** Whether this is production. Default: whether NODE_ENV says so, in any letter case. */
  readonly production?: boolean
  /** Time and randomness; the real ones unless a test passes its own. */
  readonly system?: System
}

export interface EnrolmentOptions {
  readonly sessions: SessionStore
  readonly users: Pick<UserStore, 'findById'>
  /** Makes the devices' tokens, which the bridge's authenticator must take. */
  readonly tokens: Pick<AccessTokens, 'deviceToken'>
  /**
   * Whose machine a token may enrol. Default: whoever has a token without limits of its own, such as an app's own
   * users have.
   */
  readonly mayEnrol?: (token: string) => Promise<Verdict<MayEnrol>>
}

export interface ProofOptions {
  readonly devices: DeviceStore
  /** The installation's own private key, Ed25519, the same on every node: agents pin its public half. */
  readonly key: KeyObject
}

export interface BridgeStores {
  readonly blocks?: BlockStore
  readonly fingerprints?: FingerprintStore
  readonly callTimes?: CallTimesStore
}
