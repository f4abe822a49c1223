import type { ProtocolVersion } from '@bridgekeeper/protocol'
import { connectAuthorityGate } from '../gates/call-authority.ts'
import { credentialGate } from '../gates/credential.ts'
import { type OriginPolicy, originGate, type TransportPolicy, transportGate } from '../gates/front-door.ts'
import { type ProofPolicy, proofPolicyGate } from '../gates/proof-policy.ts'
import {
  type ClientAddress,
  type FactsSource,
  type RequestFacts,
  requestFacts,
  type TrustedProxies,
} from '../gates/request-facts.ts'
import { allow, type Denied, deny, type Verdict } from '../gates/verdict.ts'
import { ConnectionCaps, type ConnectionLimits } from '../limiters/connection-caps.ts'
import type { Authenticator, Caller, EndCheck, Principal, SecurityLog, System } from '../ports.ts'
import { AddressGuard, type FailureLimit } from './address-guard.ts'
import { Authentication, TokenUse } from './authentication.ts'
import { ChallengeLocks } from './challenge-locks.ts'
import type { ChannelBinding, DeviceProofExchange, DeviceVerifier } from './device-verifier.ts'
import type { DurableBlocks } from './durable-blocks.ts'
import type { Fingerprints, SeenLogin } from './fingerprints.ts'
import type { OpenLogin } from './open-logins.ts'
import { type Arrival, type Door, Refusals } from './refusals.ts'
import type { Revoker } from './revoker.ts'

export interface AdmissionOptions {
  readonly transport: TransportPolicy
  readonly proxies: TrustedProxies
  readonly origins: OriginPolicy
  /** The cookie that may hold the token. */
  readonly cookie: string
  /** Public URLs of the bridge; a token's resource must be under one of them. */
  readonly publicUrls: readonly string[]
  readonly failures?: FailureLimit | undefined
  readonly connections?: ConnectionLimits | undefined
  readonly proofs: ProofPolicy
}

/** Parts that admission uses. */
export interface AdmissionParts {
  readonly authenticator: Authenticator
  readonly revoker: Revoker
  readonly blocks: DurableBlocks
  readonly fingerprints: Fingerprints
  /** Without it no device can connect. */
  readonly deviceVerifier?: DeviceVerifier | undefined
  readonly log: SecurityLog
  readonly system: System
}

/** An agent that has passed every gate before the handshake. Connections are created only from it. */
export interface AdmittedAgent {
  readonly principal: Principal
  readonly login: OpenLogin
  readonly version: ProtocolVersion
  readonly address: ClientAddress
  readonly seen: SeenLogin
  /** Proof exchange of its device; `undefined` if the echo is used. */
  readonly device: DeviceProofExchange | undefined
}

/** A caller who passed every gate that a request meets. */
export interface AdmittedCaller extends Caller {
  readonly login: OpenLogin
}

/**
 * Admits requests and agents: runs the gates in order, cheapest first. The endpoints decide how a refusal looks
 * to the peer.
 */
export class Admission {
  readonly #options: AdmissionOptions
  readonly #parts: AdmissionParts
  readonly #addresses: AddressGuard
  readonly #locks: ChallengeLocks
  readonly #caps: ConnectionCaps
  readonly #refusals: Refusals
  readonly #authentication: Authentication
  readonly #use: TokenUse

  constructor(options: AdmissionOptions, parts: AdmissionParts) {
    const { authenticator, revoker, blocks, log, system } = parts
    this.#options = options
    this.#parts = parts
    this.#addresses = new AddressGuard(blocks, log, system, options.failures)
    this.#locks = new ChallengeLocks(blocks, log, system)
    this.#caps = new ConnectionCaps(options.connections)
    this.#refusals = new Refusals(this.#addresses, log, system)
    this.#authentication = new Authentication(authenticator, revoker, this.#addresses, this.#refusals)
    this.#use = new TokenUse(options.publicUrls, system)
  }

  /** Admits a caller's request. Rejects if a dependency is down. */
  async admitCaller(request: FactsSource): Promise<Verdict<AdmittedCaller>> {
    const arrival = this.#arrival('caller', requestFacts(request))
    const { facts, address } = arrival
    await this.#addresses.recheck(address)
    const passed = this.#frontDoor(arrival)
    if (!passed.allowed) return this.#refusals.refuse(arrival, passed)
    const token = credentialGate(facts, this.#options.cookie)
    if (!token.allowed) return this.#refusals.refuse(arrival, token)
    const authenticated =
      this.#authentication.recall(token.value) ?? (await this.#authentication.verify(arrival, token.value))
    if (!authenticated.allowed) return authenticated
    const { principal, login } = authenticated.value
    // Runs for each request, also with a cached token: checks its resource and its key.
    const use = this.#use.byCaller(principal, token.value, facts)
    if (!use.allowed) return this.#refusals.refuse(arrival, use)
    return allow(callerOf(principal, login, address))
  }

  /** Admits an agent's upgrade request. Rejects if a dependency is down. */
  async admitAgent(
    request: FactsSource,
    version: ProtocolVersion,
    channel: ChannelBinding,
  ): Promise<Verdict<AdmittedAgent>> {
    const arrival = this.#arrival('agent', requestFacts(request))
    const { facts, address } = arrival
    await this.#addresses.recheck(address)
    // Checks the origin first: a refused web page must not use up the attempts of an agent at the same
    // address.
    const early = firstDenial(
      () => this.#frontDoor(arrival),
      () => this.#caps.checkAddress(address, this.#parts.system.monotonicMs()),
    )
    if (early !== undefined) return this.#refusals.refuse(arrival, early)
    const token = credentialGate(facts, this.#options.cookie)
    if (!token.allowed) return this.#refusals.refuse(arrival, token, isProgram(facts))
    const authenticated = await this.#authentication.verify(arrival, token.value)
    if (!authenticated.allowed) return authenticated

    const { principal, login } = authenticated.value
    await this.#locks.recheck(principal.userId, address)
    const late = firstDenial(
      () => this.#use.byAgent(principal, facts),
      () => connectAuthorityGate(principal.scopes),
      () => this.#locks.check(principal.userId, address),
    )
    if (late !== undefined) return this.#refusals.refuse(arrival, late)
    const device = await this.#expectedProof(principal, token.value, version, channel)
    if (!device.allowed) {
      if (device.code === 'proof_required') this.#refusals.recordDowngrade(principal.userId, address, version)
      return this.#refusals.refuse(arrival, device)
    }
    const seen = await this.#parts.fingerprints.verifyConnectionFingerprint(principal, address, facts)
    if (!seen.allowed) return this.#refusals.refuse(arrival, seen)
    return allow({ principal, login, version, address, seen: seen.value, device: device.value })
  }

  /** [ADDR.1] [TLS.1] [ORIGIN.3] Admits a request for a page, which checks the origin itself. */
  async admitVisitor(request: FactsSource): Promise<Verdict<ClientAddress>> {
    const arrival = this.#arrival('page', { ...requestFacts(request), origin: [] })
    await this.#addresses.recheck(arrival.address)
    const passed = this.#frontDoor(arrival)
    return passed.allowed ? allow(arrival.address) : this.#refusals.refuse(arrival, passed)
  }

  /** [ADDR.8] Begins the check of a visitor's password, code or the like. */
  beginCheck(address: ClientAddress): Promise<Verdict<EndCheck>> {
    return this.#addresses.beginCheck(address)
  }

  /** Counts a visitor's wrong password, code or the like. */
  visitorFailed(address: ClientAddress): void {
    this.#addresses.failed(address)
  }

  /** Reserves a connection slot, right before the handshake is answered. */
  enter({ principal: { userId }, login, address }: AdmittedAgent): Verdict<void> {
    if (login.isRevoked) {
      this.#refusals.record('agent', 'login_revoked', address, '')
      return deny('login_revoked')
    }
    const taken = this.#caps.take(address, userId)
    if (!taken.allowed) this.#refusals.record('agent', taken.code, address, '')
    return taken
  }

  /** Releases the slot after the socket has closed, or failed to open. */
  left({ userId }: OpenLogin, address: ClientAddress): void {
    this.#caps.leave(address, userId)
  }

  /** Records that the agent's socket is open. */
  opened({ principal: { userId }, address: { ip }, seen: { fingerprint } }: AdmittedAgent): void {
    this.#parts.log.logSecurityEvent({ event: 'ws_connection_established', userId, ip, fingerprint })
  }

  challengePassed({ principal: { userId }, address, seen, version, device }: AdmittedAgent): void {
    this.#locks.passed(userId, address)
    this.#parts.fingerprints.accept(seen)
    if (device === undefined && this.#options.proofs.production)
      this.#parts.log.logSecurityEvent({ event: 'echo_accepted', userId, ip: address.ip, version })
  }

  /** @returns whether the user is locked out from this address now */
  challengeFailed({ userId }: OpenLogin, address: ClientAddress): boolean {
    this.#addresses.failed(address)
    return this.#locks.failed(userId, address)
  }

  /** Chooses the challenge: a device's proof, or `undefined` for the echo. */
  async #expectedProof(
    principal: Principal,
    token: string,
    version: ProtocolVersion,
    channel: ChannelBinding,
  ): Promise<Verdict<DeviceProofExchange | undefined>> {
    const { deviceVerifier } = this.#parts
    const isDevice = principal.deviceId !== undefined
    const hasEnrolled = !isDevice && ((await deviceVerifier?.hasEnrolled(principal.userId)) ?? false)
    const kind = proofPolicyGate(principal, version, hasEnrolled, this.#options.proofs)
    if (!kind.allowed) return kind
    if (kind.value === 'echo') return allow(undefined)
    return deviceVerifier === undefined
      ? deny('proof_required')
      : deviceVerifier.begin(principal, token, channel)
  }

  #arrival(door: Door, facts: RequestFacts): Arrival {
    return { door, facts, address: this.#options.proxies.clientAddress(facts) }
  }

  /** Checks that need no token: blocked addresses, layer 1, origin and host. */
  #frontDoor({ facts, address }: Arrival): Verdict<void> {
    const { transport, proxies, origins } = this.#options
    const unblocked = this.#addresses.check(address)
    if (!unblocked.allowed) return unblocked
    const secure = transportGate(facts, proxies, transport)
    return secure.allowed ? originGate(facts, origins) : secure
  }
}

function callerOf(
  { userId, sessionId, scopes }: Principal,
  login: OpenLogin,
  { ip }: ClientAddress,
): AdmittedCaller {
  return { userId, sessionId, scopes, ip, login }
}

/** Runs gates in their order, until the first that denies. */
function firstDenial(...gates: readonly (() => Verdict<unknown>)[]): Denied | undefined {
  for (const gate of gates) {
    const verdict = gate()
    if (!verdict.allowed) return verdict
  }
  return undefined
}

/** [ADDR.5] Whether a program other than a browser sent this upgrade: browsers send an Origin. */
function isProgram({ origin, cookie }: RequestFacts): boolean {
  return origin.length === 0 && cookie.length === 0
}
