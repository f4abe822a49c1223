import type { ProtocolVersion } from '@bridgekeeper/protocol'
import { connectAuthorityGate } from '../gates/call-authority.ts'
import { pathOf } from '../gates/canonical-path.ts'
import type { ClientAddress, TrustedProxies } from '../gates/client-address.ts'
import { credentialGate, isSentInHeader } from '../gates/credential.ts'
import { type OriginPolicy, originGate } from '../gates/origin.ts'
import { type ProofPolicy, proofPolicyGate } from '../gates/proof-policy.ts'
import { type FactsSource, type RequestFacts, requestFacts } from '../gates/request-facts.ts'
import { type TransportPolicy, transportGate } from '../gates/transport.ts'
import { type Allowed, allow, type Denied, deny, isGuess, type Verdict } from '../gates/verdict.ts'
import { AddressFailures, type FailureLimit } from '../limiters/address-failures.ts'
import { ConnectionCaps, type ConnectionLimits } from '../limiters/connection-caps.ts'
import { ChallengeLockout, lockKey } from '../limiters/lockout.ts'
import type { Authenticator, Caller, EndCheck, Principal, SecurityLog, System } from '../ports.ts'
import { AddressChecks } from './address-checks.ts'
import type { ChannelBinding, DeviceProofExchange, DeviceVerifier } from './device-verifier.ts'
import type { DurableBlocks } from './durable-blocks.ts'
import type { Fingerprints, SeenLogin } from './fingerprints.ts'
import type { OpenLogin, OpenLogins } from './open-logins.ts'
import { type Door, Refusals } from './refusals.ts'
import type { Revoker } from './revoker.ts'
import { TokenUse } from './token-use.ts'

export interface AdmissionOptions {
  readonly transport: TransportPolicy
  readonly proxies: TrustedProxies
  readonly origins: OriginPolicy
  /** The cookie that may hold the token. */
  readonly cookie: string
  /** Addresses under which the bridge's resources are named. */
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
  readonly devices?: DeviceVerifier | undefined
  readonly log: SecurityLog
  readonly system: System
}

/** An agent that passed every gate there is before the handshake. A connection is made of nothing else. */
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
 * Admits requests and agents: runs the gates in order, cheapest first, counts failures, and logs refusals.
 * The endpoints decide how a refusal looks to the peer.
 */
export class Admission {
  readonly #options: AdmissionOptions
  readonly #parts: AdmissionParts
  readonly #failures: AddressFailures
  readonly #checks: AddressChecks
  readonly #lockout: ChallengeLockout
  readonly #caps: ConnectionCaps
  readonly #refusals: Refusals
  readonly #logins: OpenLogins
  readonly #use: TokenUse

  constructor(options: AdmissionOptions, parts: AdmissionParts) {
    this.#options = options
    this.#parts = parts
    this.#failures = new AddressFailures(parts.blocks.list, options.failures)
    this.#checks = new AddressChecks(this.#failures)
    this.#lockout = new ChallengeLockout(parts.blocks.list)
    this.#caps = new ConnectionCaps(options.connections)
    this.#refusals = new Refusals(parts.log, parts.system)
    this.#logins = parts.revoker.logins
    this.#use = new TokenUse(options.publicUrls, parts.system)
  }

  /** A caller's request. Rejects if a dependency is down. */
  async admitCaller(request: FactsSource): Promise<Verdict<AdmittedCaller>> {
    const facts = requestFacts(request)
    const address = this.#address(facts)
    await this.#recheckAddress(address)
    const passed = this.#frontDoor(facts, address)
    if (!passed.allowed) return this.#refuse('caller', passed, address, facts)
    const token = credentialGate(facts, this.#options.cookie)
    if (!token.allowed) return this.#refuse('caller', token, address, facts)
    const authenticated =
      this.#recall(token.value) ?? (await this.#authenticate('caller', token.value, address, facts))
    if (!authenticated.allowed) return authenticated
    const { principal, login } = authenticated.value
    // Checked for each request, also of a cached token: where it is used, and by whom.
    const use = this.#use.byCaller(principal, token.value, facts)
    if (!use.allowed) return this.#refuse('caller', use, address, facts)
    return allow(callerOf(principal, login, address))
  }

  /** The principal and login of a token that was verified in the last seconds. */
  #recall(token: string): Allowed<Authenticated> | undefined {
    const principal = this.#parts.authenticator.recall(token)
    const login = principal && this.#logins.recalled(principal)
    return principal && login && allow({ principal, login })
  }

  /** An agent's upgrade request. Rejects when what it depends on is down. */
  async admitAgent(
    request: FactsSource,
    version: ProtocolVersion,
    channel: ChannelBinding,
  ): Promise<Verdict<AdmittedAgent>> {
    const facts = requestFacts(request)
    const address = this.#address(facts)
    await this.#recheckAddress(address)
    // The door first: pages that it refuses must not use up what their visitor's own agent may try.
    const early = firstDenial(
      () => this.#frontDoor(facts, address),
      () => this.#caps.checkAddress(address, this.#nowMs()),
    )
    if (early !== undefined) return this.#refuse('agent', early, address, facts)
    const token = credentialGate(facts, this.#options.cookie)
    if (!token.allowed) return this.#refuse('agent', token, address, facts, isProgram(facts))
    const authenticated = await this.#authenticate('agent', token.value, address, facts)
    if (!authenticated.allowed) return authenticated

    const { principal, login } = authenticated.value
    await this.#recheckLock(principal.userId, address)
    const late = firstDenial(
      () => this.#use.byAgent(principal, facts),
      () => connectAuthorityGate(principal.scopes),
      () => this.#lockout.check(principal.userId, address.key, this.#nowMs()),
    )
    if (late !== undefined) return this.#refuse('agent', late, address, facts)
    const device = await this.#challenge(principal, token.value, version, channel)
    if (!device.allowed) {
      if (device.code === 'proof_required') this.#refusals.recordDowngrade(principal.userId, address, version)
      return this.#refuse('agent', device, address, facts)
    }
    const seen = await this.#parts.fingerprints.verifyConnectionFingerprint(principal, address, facts)
    if (!seen.allowed) return this.#refuse('agent', seen, address, facts)
    return allow({ principal, login, version, address, seen: seen.value, device: device.value })
  }

  /** [ADDR.1] [TLS.1] [ORIGIN.3] Admits a request for a page, which checks the origin itself. */
  async admitVisitor(request: FactsSource): Promise<Verdict<ClientAddress>> {
    const facts = { ...requestFacts(request), origin: [] }
    const address = this.#address(facts)
    await this.#recheckAddress(address)
    const passed = this.#frontDoor(facts, address)
    return passed.allowed ? allow(address) : this.#refuse('page', passed, address, facts)
  }

  /** [ADDR.8] Begins the check of a visitor's password, code or the like. */
  beginCheck(address: ClientAddress): Promise<Verdict<EndCheck>> {
    return this.#checks.begin(address, () => this.#nowMs())
  }

  /** Counts a visitor's wrong password, code or the like. */
  visitorFailed(address: ClientAddress): void {
    this.#failed(address)
  }

  /** Takes a place, right before the handshake is answered. */
  enter({ principal: { userId }, login, address }: AdmittedAgent): Verdict<void> {
    if (login.revoked) {
      this.#refusals.record('agent', 'login_revoked', address, '')
      return deny('login_revoked')
    }
    const place = this.#caps.take(address, userId)
    if (!place.allowed) this.#refusals.record('agent', place.code, address, '')
    return place
  }

  /** Its socket has ended, or it got none. */
  left({ userId }: OpenLogin, address: ClientAddress): void {
    this.#caps.leave(address, userId)
  }

  /** The agent has a socket now. */
  opened({ principal: { userId }, address: { ip }, seen: { fingerprint } }: AdmittedAgent): void {
    this.#parts.log.logSecurityEvent({ event: 'ws_connection_established', userId, ip, fingerprint })
  }

  challengePassed({ principal: { userId }, address, seen, version, device }: AdmittedAgent): void {
    this.#lockout.passed(userId, address.key)
    this.#parts.fingerprints.accept(seen)
    if (device === undefined && this.#options.proofs.production)
      this.#parts.log.logSecurityEvent({ event: 'echo_accepted', userId, ip: address.ip, version })
  }

  /** @returns whether the user is locked out from this address now */
  challengeFailed({ userId }: OpenLogin, address: ClientAddress): boolean {
    this.#failed(address)
    const nowMs = this.#nowMs()
    const lock = this.#lockout.failed(userId, address.key, nowMs)
    if (lock === undefined) return false
    const retryAfter = Math.ceil(lock.lockMs / 1_000)
    this.#parts.log.logSecurityEvent({ event: 'challenge_locked', userId, ip: address.ip, retryAfter })
    this.#parts.blocks.save({ kind: 'challenge', key: lock.key, untilMs: nowMs + lock.lockMs })
    return true
  }

  /** The challenge's kind: a device's proof, or `undefined` for the echo. */
  async #challenge(
    principal: Principal,
    token: string,
    version: ProtocolVersion,
    channel: ChannelBinding,
  ): Promise<Verdict<DeviceProofExchange | undefined>> {
    const { devices } = this.#parts
    const isDevice = principal.deviceId !== undefined
    const hasEnrolled = !isDevice && ((await devices?.hasEnrolled(principal.userId)) ?? false)
    const kind = proofPolicyGate(principal, version, hasEnrolled, this.#options.proofs)
    if (!kind.allowed) return kind
    if (kind.value === 'echo') return allow(undefined)
    return devices === undefined ? deny('proof_required') : devices.begin(principal, token, channel)
  }

  #address(facts: RequestFacts): ClientAddress {
    return this.#options.proxies.clientAddress(facts)
  }

  /** [BLOCK.5] If the address is blocked, asks the store whether it still is. */
  async #recheckAddress(address: ClientAddress): Promise<void> {
    if (this.#failures.check(address, this.#nowMs()).allowed) return
    await this.#parts.blocks.recheck({ kind: 'address', key: address.key })
  }

  /** [BLOCK.5] The same for a user who is locked out at this address. */
  async #recheckLock(userId: string, { key }: ClientAddress): Promise<void> {
    if (this.#lockout.check(userId, key, this.#nowMs()).allowed) return
    await this.#parts.blocks.recheck({ kind: 'challenge', key: lockKey(userId, key) })
  }

  /** Checks that need no token: blocked addresses, layer 1, origin and host. */
  #frontDoor(facts: RequestFacts, address: ClientAddress): Verdict<void> {
    const { transport, proxies, origins } = this.#options
    const unblocked = this.#failures.check(address, this.#nowMs())
    if (!unblocked.allowed) return unblocked
    const secure = transportGate(facts, proxies, transport)
    return secure.allowed ? originGate(facts, origins) : secure
  }

  async #authenticate(
    door: Door,
    token: string,
    address: ClientAddress,
    facts: RequestFacts,
  ): Promise<Verdict<Authenticated>> {
    const begun = await this.beginCheck(address)
    if (!begun.allowed) return this.#refuse(door, begun, address, facts)
    try {
      const { authenticator, revoker } = this.#parts
      if (revoker.isBlind) throw new Error('It cannot be known what was revoked.')
      const since = this.#logins.now
      const principal = await authenticator.authenticate(token, facts)
      if (!principal.allowed) {
        // [ADDR.7] A page may have planted the cookie.
        const isFailure = isGuess(principal) && isSentInHeader(facts)
        return this.#refuse(door, principal, address, facts, isFailure)
      }
      const login = this.#logins.enter(principal.value, since)
      if (login === undefined) return this.#refuse(door, deny('login_revoked'), address, facts)
      return allow({ principal: principal.value, login })
    } finally {
      begun.value()
    }
  }

  /** @param isFailure whether it counts towards blocking the address; a proxy is never blocked */
  #refuse(
    door: Door,
    denied: Denied,
    address: ClientAddress,
    { url }: RequestFacts,
    isFailure = false,
  ): Denied {
    const counted = isFailure && !address.isProxy
    this.#refusals.record(door, denied.code, address, pathOf(url), counted)
    if (counted) this.#failed(address)
    return denied
  }

  #failed(address: ClientAddress): void {
    const nowMs = this.#nowMs()
    const blockMs = this.#failures.failed(address, nowMs)
    if (blockMs === undefined) return
    const { ip, key } = address
    const retryAfter = Math.ceil(blockMs / 1_000)
    this.#parts.log.logSecurityEvent({ event: 'address_blocked', ip, retryAfter })
    this.#parts.blocks.save({ kind: 'address', key, untilMs: nowMs + blockMs })
  }

  #nowMs(): number {
    return this.#parts.system.monotonicMs()
  }
}

interface Authenticated {
  readonly principal: Principal
  readonly login: OpenLogin
}

function callerOf(
  { userId, sessionId, scopes }: Principal,
  login: OpenLogin,
  { ip }: ClientAddress,
): AdmittedCaller {
  return { userId, sessionId, scopes, ip, login }
}

/** Gates in their order; those after the first that denies are not asked. */
function firstDenial(...gates: readonly (() => Verdict<unknown>)[]): Denied | undefined {
  for (const gate of gates) {
    const verdict = gate()
    if (!verdict.allowed) return verdict
  }
  return undefined
}

/** [ADDR.5] Whether no browser can have sent this upgrade: those of browsers have an Origin. */
function isProgram({ origin, cookie }: RequestFacts): boolean {
  return origin.length === 0 && cookie.length === 0
}
