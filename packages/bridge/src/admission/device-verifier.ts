import { createPublicKey, hash, type KeyObject, sign } from 'node:crypto'
import { thumbprint } from '@bridgekeeper/protocol'
import { connectAuthorityGate } from '../gates/call-authority.ts'
import type { OwnAddresses, OwnEnd } from '../gates/own-addresses.ts'
import { type BoundConnection, type ExpectedProof, provableKeys } from '../gates/proof.ts'
import { allow, deny, type Verdict } from '../gates/verdict.ts'
import type { DeviceStore } from '../ports/devices.ts'
import type { Authenticator, Principal, SecurityLog, System } from '../ports.ts'

const CONNECTION_ID_BYTES = 16

/** The bridge's own end of a connection, as a proof binds it. */
export interface ChannelBinding extends OwnEnd {
  readonly offeredSubprotocols: string
  /** The TLS 1.3 exporter of a connection that terminates here, base64url (RFC 9266); read only if needed. */
  exporter(): string | undefined
}

export interface DeviceParts {
  readonly devices: DeviceStore
  /** The bridge's own, Ed25519. */
  readonly key: KeyObject
  readonly addresses: OwnAddresses
  readonly authenticator: Authenticator
  readonly log: SecurityLog
  readonly system: System
}

/** The next proof; `principal` is set if a fresh token comes with it. */
interface NextProof {
  readonly expected: ExpectedProof
  readonly principal: Principal | undefined
}

/** The enrolled devices as admission uses them, and the bridge's key with which it proves itself to them. */
export class DeviceVerifier {
  readonly #parts: DeviceParts
  readonly #keyId: string

  /** @throws TypeError when the bridge's key is not a private Ed25519 key */
  constructor(parts: DeviceParts) {
    const { key } = parts
    if (key.type !== 'private' || key.asymmetricKeyType !== 'ed25519')
      throw new TypeError("The bridge's key is not a private Ed25519 key.")
    this.#parts = parts
    this.#keyId = thumbprint(createPublicKey(key).export({ format: 'jwk' }))
  }

  /** Whether the user has or ever had a device. Rejects if the store is unavailable. */
  hasEnrolled(userId: string): Promise<boolean> {
    return this.#parts.devices.hasEnrolled(userId)
  }

  /**
   * Begins the proof of a device that wants to connect. Denies a device that cannot prove itself. Rejects if
   * the store is down.
   */
  async begin(
    principal: Principal,
    token: string,
    channel: ChannelBinding,
  ): Promise<Verdict<DeviceProofExchange>> {
    const { addresses, system } = this.#parts
    const connection: BoundConnection = {
      connectionId: system.randomBytes(CONNECTION_ID_BYTES).toString('base64url'),
      offeredSubprotocols: channel.offeredSubprotocols,
      dialled: addresses.at(channel),
      exporter: channel.exporter(),
    }
    const tokenHash = hashOf(token)
    const expected = await this.expected('connect', principal, connection, tokenHash)
    if (!expected.allowed) return expected
    return allow(new DeviceProofExchange(this, expected.value))
  }

  /** The proof expected of this device in its current state. */
  async expected(
    purpose: ExpectedProof['purpose'],
    principal: Principal,
    connection: BoundConnection,
    tokenHash: string,
  ): Promise<Verdict<ExpectedProof>> {
    const { userId, sessionId, deviceId } = principal
    if (deviceId === undefined) return deny('device_unknown')
    const device = await this.#parts.devices.find(deviceId)
    const keys = provableKeys(principal, device, this.#parts.system.nowMs())
    if (!keys.allowed) return keys
    const bridgeKeyId = this.#keyId
    const deviceName = device?.name
    return allow({
      ...{ purpose, connection, userId, sessionId, deviceId, deviceName },
      ...{ keys: keys.value, bridgeKeyId, tokenHash },
    })
  }

  /**
   * [PROOF.11] Verifies a fresh token for a connection: valid here, and of the same user, session, device and
   * resource. Rejects if it cannot be verified.
   */
  async authenticateAgain(before: Principal, token: string): Promise<Verdict<Principal>> {
    const authenticated = await this.#parts.authenticator.authenticate(token)
    if (!authenticated.allowed) return authenticated
    const { userId, sessionId, deviceId, resource, scopes } = authenticated.value
    const isSame = userId === before.userId && sessionId === before.sessionId && deviceId === before.deviceId
    if (!isSame || resource !== before.resource) return deny('token_invalid')
    const authority = connectAuthorityGate(scopes)
    return authority.allowed ? authenticated : authority
  }

  /**
   * [PROOF.9] Records a verified device, and detects a copy of its key on another machine: two machines do
   * not know each other's connections.
   * @param previous the device's last connection, as it claims
   * @param certain its last connection, if the device has certainly recorded it
   */
  async confirm(
    { userId, deviceId = '' }: Principal,
    connectionId: string,
    previous: string,
    certain: string | undefined,
  ): Promise<Verdict<void>> {
    const { devices, system } = this.#parts
    const isStranger = certain !== undefined && certain !== previous
    const found = isStranger
      ? 'diverged'
      : await devices.connected(deviceId, connectionId, previous, system.nowMs())
    if (found === 'continued') return allow(undefined)
    if (found === 'unknown') return deny('device_unknown')
    this.#parts.log.logSecurityEvent({ event: 'device_key_copied', userId, deviceId })
    await devices.revoke(deviceId, system.nowMs())
    return deny('device_key_copied')
  }

  /** @returns the bridge's signature, base64url */
  sign(bytes: Buffer): string {
    return sign(null, bytes, this.#parts.key).toString('base64url')
  }
}

/** Proofs of one connection of a device. Drops the first expected proof once read, to save memory while idle. */
export class DeviceProofExchange {
  readonly deviceName: string | undefined
  readonly #verifier: DeviceVerifier
  readonly #connection: BoundConnection
  #tokenHash: string
  #first: ExpectedProof | undefined

  constructor(verifier: DeviceVerifier, first: ExpectedProof) {
    this.#verifier = verifier
    this.#connection = first.connection
    this.deviceName = first.deviceName
    this.#tokenHash = first.tokenHash
    this.#first = first
  }

  get connectionId(): string {
    return this.#connection.connectionId
  }

  /** The first expected proof; kept until it is read. */
  begin(): ExpectedProof | undefined {
    const first = this.#first
    this.#first = undefined
    return first
  }

  /** The next expected proof. @param token a fresh one, which is verified first */
  async renewal(before: Principal, token: string | undefined): Promise<Verdict<NextProof>> {
    const fresh = token === undefined ? allow(before) : await this.#verifier.authenticateAgain(before, token)
    if (!fresh.allowed) return fresh
    const tokenHash = token === undefined ? this.#tokenHash : hashOf(token)
    const expected = await this.#verifier.expected('renew', fresh.value, this.#connection, tokenHash)
    if (!expected.allowed) return expected
    return allow({ expected: expected.value, principal: token === undefined ? undefined : fresh.value })
  }

  /** Records a valid proof. */
  renewed({ tokenHash }: ExpectedProof): void {
    this.#tokenHash = tokenHash
  }

  confirm(principal: Principal, previous: string, certain: string | undefined): Promise<Verdict<void>> {
    return this.#verifier.confirm(principal, this.connectionId, previous, certain)
  }

  /** @returns the bridge's signature, base64url */
  sign(bytes: Buffer): string {
    return this.#verifier.sign(bytes)
  }
}

function hashOf(token: string): string {
  return hash('sha256', token, 'base64url')
}
