import { createHash } from 'node:crypto'
import { DEVICE_PATHS } from '@bridgekeeper/protocol'
import { decodeJwt, decodeProtectedHeader, type JWTPayload } from 'jose'
import { allow, type Denied, deny, isGuess, type Verdict } from '../gates/verdict.ts'
import type { Device, DeviceKey } from '../ports/devices.ts'
import type { System } from '../ports.ts'
import { type PublicKey, verifierOf } from './device-key.ts'
import { LEEWAY_SECONDS, verifyJwt } from './jwt.ts'

/** Uses of a device key's signature, each with its own type (RFC 8725 section 3.11). */
export const DEVICE_JWTS = {
  /** For an access token. */
  token: { typ: 'device-assertion+jwt', path: DEVICE_PATHS.token },
  /** For replacing the signing key by another one. */
  rotation: { typ: 'device-rotation+jwt', path: DEVICE_PATHS.rotate },
} as const
export type DeviceJwt = keyof typeof DEVICE_JWTS

/** Proves that a machine holds the private half of a key that it enrols or rotates to. */
const PROOF_TYP = 'device-proof+jwt'
const MAX_LIFETIME_SECONDS = 60
const MAX_JTI_CHARS = 128

/** A verified assertion. */
export interface Assertion {
  readonly device: Device
  readonly key: DeviceKey
  readonly jti: string
  readonly claims: Readonly<JWTPayload>
}

export interface AssertionParts {
  find(deviceId: string): Promise<Device | undefined>
  /** The addresses under which this bridge is reached. */
  readonly addresses: readonly string[]
  readonly system: System
}

/**
 * [DEV.4] Verifies a device's assertion: signed by a key of that device that has not retired, with that key's
 * algorithm, for this bridge and purpose, within a minute. The caller must check for replays.
 *
 * Unknown device, unknown key and wrong signature get the same refusal. Source: RFC 7523 section 3, RFC 8725
 * sections 3.1, 3.8, 3.9, 3.11, 3.12.
 */
export async function verifyAssertion(
  assertion: string,
  use: DeviceJwt,
  { find, addresses, system }: AssertionParts,
): Promise<Verdict<Assertion>> {
  const named = namesIn(assertion)
  const device = named === undefined ? undefined : await find(named.deviceId)
  const key = device?.keys.find(({ keyId }) => keyId === named?.keyId)
  if (named === undefined || device === undefined || key === undefined) return deny('device_unknown')
  if (key.retiresAtMs !== undefined && key.retiresAtMs <= system.nowMs()) return deny('device_unknown')

  const { typ, path } = DEVICE_JWTS[use]
  const { verifier, jwsAlgorithm } = verifierOf(key)
  const rules = {
    algorithms: [jwsAlgorithm],
    typ,
    issuer: device.deviceId,
    audience: (audience: string) => isOurs(audience, path, addresses),
    requiredClaims: ['sub', 'iat', 'exp', 'jti'],
  }
  const verified = await verifyJwt(assertion, async () => verifier, rules, system)
  if (!verified.allowed) return assertionRefusal(verified, named.claims, system)
  const { sub, jti } = verified.value
  if (sub !== device.deviceId || !isJti(jti)) return deny('assertion_invalid')
  if (!isShort(verified.value)) return deny('assertion_invalid', 'It is valid for more than a minute.')
  return allow({ device, key, jti, claims: verified.value })
}

/**
 * [DEV.2] Verifies that the sender of a new key holds its private half. The new key signs the proof, which
 * contains the hash of the token or assertion that it accompanies.
 * @param accompanies the enrolment token or the rotation's assertion
 */
export async function verifyKeyProof(
  proof: string,
  key: PublicKey,
  { path, accompanies }: { readonly path: string; readonly accompanies: string },
  { addresses, system }: Pick<AssertionParts, 'addresses' | 'system'>,
): Promise<Verdict<void>> {
  const rules = {
    algorithms: [key.jwsAlgorithm],
    typ: PROOF_TYP,
    issuer: key.keyId,
    audience: (audience: string) => isOurs(audience, path, addresses),
    requiredClaims: ['iat', 'exp', 'ath'],
  }
  const verified = await verifyJwt(proof, async () => key.verifier, rules, system)
  if (!verified.allowed) {
    const untimely = verified.code === 'token_expired' || isUntimely(namesIn(proof)?.claims ?? {}, system)
    return untimely
      ? deny('clock_wrong')
      : deny('device_key_invalid', 'The proof of its private key is invalid.')
  }
  const hash = createHash('sha256').update(accompanies).digest('base64url')
  if (verified.value.ath !== hash || !isShort(verified.value))
    return deny('device_key_invalid', 'The proof of its private key is for another request.')
  return allow(undefined)
}

function isOurs(audience: string, path: string, addresses: readonly string[]): boolean {
  return addresses.some((address) => audience === address + path)
}

/** Unverified ids of an assertion, used only to find the key. */
function namesIn(jwt: string) {
  try {
    const claims = decodeJwt(jwt)
    const { kid = '' } = decodeProtectedHeader(jwt)
    return { claims, deviceId: claims.iss ?? '', keyId: kid }
  } catch {
    return undefined
  }
}

function assertionRefusal(refused: Denied, claims: Readonly<JWTPayload>, system: System): Denied {
  if (isGuess(refused)) return deny('device_unknown')
  return isUntimely(claims, system) ? deny('clock_wrong') : deny('assertion_invalid')
}

function isJti(jti: unknown): jti is string {
  return typeof jti === 'string' && jti !== '' && jti.length <= MAX_JTI_CHARS
}

function isShort({ iat, exp }: JWTPayload): boolean {
  return iat !== undefined && exp !== undefined && exp > iat && exp - iat <= MAX_LIFETIME_SECONDS
}

function isUntimely({ iat, exp }: Readonly<JWTPayload>, system: System): boolean {
  const nowSeconds = system.nowMs() / 1_000
  return (exp ?? Number.POSITIVE_INFINITY) <= nowSeconds || (iat ?? 0) > nowSeconds + LEEWAY_SECONDS
}
