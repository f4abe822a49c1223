import { createHash, randomBytes } from 'node:crypto'
import { DEVICE_PATHS } from '@bridgekeeper/protocol'
import type { DeviceKey } from '../keychain/device-key.ts'

const LIFETIME_SECONDS = 60
/** Backdates the assertion slightly, for a bridge whose clock is behind. */
const EARLY_SECONDS = 5

interface About {
  /** The dialled address; signatures are valid there only. */
  readonly bridge: string
  readonly nowMs: number
}

/** Signs the assertion for a token. Source: RFC 7523 section 3. */
export function assertion(key: DeviceKey, deviceId: string, { bridge, nowMs }: About): string {
  return jwt(key, 'device-assertion+jwt', { ...byDevice(deviceId), aud: bridge + DEVICE_PATHS.token }, nowMs)
}

/** Signs the next key with the current one. */
export function rotation(
  key: DeviceKey,
  deviceId: string,
  next: { readonly key: DeviceKey; readonly generation: number },
  { bridge, nowMs }: About,
): string {
  const claims = { ...byDevice(deviceId), aud: bridge + DEVICE_PATHS.rotate, jwk: next.key.publicJwk }
  return jwt(key, 'device-rotation+jwt', { ...claims, generation: next.generation }, nowMs)
}

/** Signs that we hold this key, for one request. @param accompanies the token or assertion of that request */
export function keyProof(
  key: DeviceKey,
  path: string,
  accompanies: string,
  { bridge, nowMs }: About,
): string {
  const ath = createHash('sha256').update(accompanies).digest('base64url')
  return jwt(key, 'device-proof+jwt', { iss: key.keyId, aud: bridge + path, ath }, nowMs)
}

function byDevice(deviceId: string) {
  return { iss: deviceId, sub: deviceId, jti: randomBytes(16).toString('base64url') }
}

/** A compact JWS (RFC 7515 section 7.1). By hand, since a key may sign where no library reaches it. */
function jwt(key: DeviceKey, typ: string, claims: object, nowMs: number): string {
  const iat = Math.floor(nowMs / 1_000) - EARLY_SECONDS
  const parts = [
    { alg: key.algorithm, typ, kid: key.keyId },
    { ...claims, iat, exp: iat + LIFETIME_SECONDS },
  ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  const input = parts.join('.')
  return `${input}.${key.sign(Buffer.from(input)).toString('base64url')}`
}
