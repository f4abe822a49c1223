import { cleanText, DEVICE_PATHS } from '@bridgekeeper/protocol'
import { allow, deny, denyGenuine, type Verdict } from '../gates/verdict.ts'
import { SlidingWindow } from '../limiters/sliding-window.ts'
import type { Device, DeviceStore } from '../ports/devices.ts'
import type { SessionStore } from '../ports/sessions.ts'
import type { SecurityLog, System, UserStore } from '../ports.ts'
import type { AccessTokens, DeviceToken, Enrolment } from '../tokens/access-tokens.ts'
import {
  type Assertion,
  DEVICE_JWTS,
  type DeviceJwt,
  verifyAssertion,
  verifyKeyProof,
} from '../tokens/device-assertion.ts'
import { type PublicKey, readDeviceKey } from '../tokens/device-key.ts'
import { ReplayMemory } from '../tokens/replay.ts'

/** Limit of machines per user. */
export const MAX_DEVICES = 32
/** Limit of valid keys per device: the current one, and those rotated within the last day. */
export const MAX_GOOD_KEYS = 8
const NAME_CHARS = 64
const ID_BYTES = 16
/** Time that a replaced key still works, for a machine that missed the answer. */
const OVERLAP_MS = 86_400_000
/** A device's login has no fixed end: its user or its key ends it. */
const SESSION_MS = 10 * 365 * 86_400_000
/** An assertion lives for a minute, and its clock may be a minute off. */
const REPLAY_MS = 150_000
const REPLAY_ENTRIES = 100_000
/** A device needs one in a quarter of an hour. */
export const ASSERTIONS = { max: 30, windowMs: 60_000 }

export interface DeviceRegistryParts {
  readonly devices: DeviceStore
  readonly sessions: SessionStore
  readonly users: Pick<UserStore, 'findById'>
  readonly tokens: Pick<AccessTokens, 'deviceToken'>
  /** The addresses under which this bridge is reached: what devices dial. */
  readonly addresses: readonly string[]
  readonly log: Pick<SecurityLog, 'logSecurityEvent'>
  readonly system: System
}

/**
 * Permission to enrol: for the name and key that the user approved, or for an app's own user without
 * restrictions.
 */
export type MayEnrol = Pick<Enrolment, 'userId'> &
  Partial<Pick<Enrolment, 'sessionId' | 'deviceName' | 'deviceKey'>>

export interface EnrolRequest {
  /** The token that the request came with, which the proof must name. */
  readonly token: string
  readonly name: unknown
  readonly jwk: unknown
  readonly proof: string
  readonly ip?: string
}

/** Enrols machines, issues their tokens and rotates their keys. Rejects if a store is down. */
export class DeviceRegistry {
  readonly #parts: DeviceRegistryParts
  readonly #used = new ReplayMemory(REPLAY_ENTRIES)
  readonly #asked = new SlidingWindow(ASSERTIONS)

  constructor(parts: DeviceRegistryParts) {
    this.#parts = parts
  }

  /**
   * [ENROL.1] [ENROL.2] Enrols the machine with this key. An approval works once, for the approved key only.
   * A machine that missed the answer, and is approved again, gets its existing enrolment.
   */
  async enrol(may: MayEnrol, { token, name, jwk, proof, ip }: EnrolRequest): Promise<Verdict<Device>> {
    const { devices, sessions } = this.#parts
    const read = readDeviceKey(jwk)
    if (!read.allowed) return read
    const key = read.value
    if (may.deviceKey !== undefined && may.deviceKey !== key.keyId) return deny('device_key_mismatch')
    const proven = await verifyKeyProof(
      proof,
      key,
      { path: DEVICE_PATHS.enrol, accompanies: token },
      this.#parts,
    )
    if (!proven.allowed) return proven
    const called = deviceName(may.deviceName ?? name)
    if (called === undefined) return deny('device_name_invalid')

    const theirs = await devices.ofUser(may.userId)
    const known = theirs.find(({ keys: [current] }) => current?.keyId === key.keyId)
    if (known === undefined && theirs.length >= MAX_DEVICES) return deny('too_many_devices')
    // If two requests share one approval, only one ends it.
    if (may.sessionId !== undefined && !(await sessions.end(may.sessionId)))
      return denyGenuine('token_invalid', 'It was used before.')
    const device = known ?? (await this.#add(may.userId, called, key))
    if (device === undefined) return deny('device_key_known')
    const { deviceId, userId } = device
    // Parallel enrolments must not exceed the limit.
    if (known === undefined && (await devices.ofUser(userId)).length > MAX_DEVICES) {
      await devices.revoke(deviceId, this.#parts.system.nowMs())
      return deny('too_many_devices')
    }
    this.#parts.log.logSecurityEvent({ event: 'device_enrolled', userId, ip, deviceId, name: called })
    return allow(device)
  }

  /**
   * [DEV.3] Issues a token for 15 minutes, bound to the signing key, for an assertion. Each assertion works
   * once.
   */
  async token(assertion: string): Promise<Verdict<DeviceToken>> {
    const verified = await this.#verify(assertion, 'token')
    if (!verified.allowed) return verified
    const { device, key } = verified.value
    const { deviceId, userId, sessionId } = device
    const [user, session] = await Promise.all([
      this.#parts.users.findById(userId),
      this.#parts.sessions.find(sessionId),
    ])
    if (user === undefined || session?.deviceId !== deviceId) return deny('login_revoked')
    if (user.state !== 'active') return deny('user_suspended')
    return allow(await this.#parts.tokens.deviceToken({ user, sessionId, deviceId, keyId: key.keyId }))
  }

  /**
   * [DEV.5] Rotates a device's key; the current key must sign the request. The old one works for another day.
   */
  async rotate(
    assertion: string,
    proof: string,
    ip?: string,
  ): Promise<Verdict<PublicKey & { generation: number }>> {
    const { devices, system, log } = this.#parts
    const verified = await this.#verify(assertion, 'rotation')
    if (!verified.allowed) return verified
    const { device, key: old, claims } = verified.value
    const read = readDeviceKey(claims.jwk)
    if (!read.allowed) return read
    const key = read.value
    const accompanies = { path: DEVICE_JWTS.rotation.path, accompanies: assertion }
    const proven = await verifyKeyProof(proof, key, accompanies, this.#parts)
    if (!proven.allowed) return proven
    const generation = old.generation + 1
    const nowMs = system.nowMs()
    const good = device.keys.filter(({ retiresAtMs = nowMs + 1 }) => retiresAtMs > nowMs)
    if (good.length >= MAX_GOOD_KEYS)
      return deny('rate_limit_exceeded', `A device has at most ${MAX_GOOD_KEYS} valid keys.`)
    if (old !== device.keys[0] || claims.generation !== generation) return deny('device_generation_wrong')
    const { keyId, algorithm, jwk } = key
    const rotated = await devices.rotate(
      device.deviceId,
      { keyId, algorithm, generation, jwk },
      nowMs + OVERLAP_MS,
    )
    if (!rotated) return deny('device_key_known')
    const { userId, deviceId } = device
    log.logSecurityEvent({ event: 'device_key_rotated', userId, ip, deviceId, generation })
    return allow({ ...key, generation })
  }

  async #verify(assertion: string, use: DeviceJwt): Promise<Verdict<Assertion>> {
    const { devices, addresses, system } = this.#parts
    const find = (deviceId: string) => devices.find(deviceId)
    const verified = await verifyAssertion(assertion, use, { find, addresses, system })
    if (!verified.allowed) return verified
    const { device, jti } = verified.value
    const nowMs = system.monotonicMs()
    if (!this.#asked.take(device.deviceId, nowMs)) return deny('rate_limit_exceeded')
    if (!this.#used.take(`${device.deviceId} ${jti}`, nowMs + REPLAY_MS, nowMs))
      return deny('assertion_invalid', 'It was used before.')
    return verified
  }

  /** @returns `undefined` where the key is or ever was a device's */
  async #add(userId: string, name: string, key: PublicKey): Promise<Device | undefined> {
    const { devices, sessions, system } = this.#parts
    const nowMs = system.nowMs()
    const times = { createdAtMs: nowMs, seenAtMs: nowMs, expiresAtMs: nowMs + SESSION_MS }
    const deviceId = `device_${this.#randomId()}`
    const sessionId = this.#randomId()
    // Creates the login first: a device without one would be useless without an error.
    await sessions.add({ sessionId, userId, kind: 'device', label: name, deviceId, ...times })
    const { keyId, algorithm, jwk } = key
    const keys = [{ keyId, algorithm, jwk, generation: 1 }]
    const device = { deviceId, userId, sessionId, name, keys, createdAtMs: nowMs, usedAtMs: nowMs }
    if (await devices.add(device)) return device
    await sessions.end(sessionId)
    return undefined
  }

  #randomId(): string {
    return this.#parts.system.randomBytes(ID_BYTES).toString('hex')
  }
}

/**
 * [ENROL.3] Cleans a name for display: one line, without control characters, and short. @returns `undefined`
 * if nothing is left
 */
export function deviceName(given: unknown): string | undefined {
  if (typeof given !== 'string') return undefined
  const name = cleanText(given).replaceAll(/\s+/g, ' ').trim()
  return name === '' || !name.isWellFormed() ? undefined : [...name].slice(0, NAME_CHARS).join('')
}
