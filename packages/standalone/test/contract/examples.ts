import type { Device, DeviceKey, User } from '@bridgekeeper/bridge'
import type { LoginSession } from '@bridgekeeper/bridge/testing'
import type { OAuthRecord, Passkey } from '../../src/ports.ts'

/** Start of the clock of FakeSystem. */
export const NOW_MS = 1_800_000_000_000
export const DAY_MS = 86_400_000

export const ANN: User = {
  userId: 'user_1',
  email: 'Ann@example.com',
  tokenVersion: 2,
  createdAtMs: NOW_MS + 123,
  state: 'active',
  role: 'user',
}

export const SESSION: LoginSession = {
  sessionId: 's1',
  userId: 'user_1',
  kind: 'browser',
  label: 'Firefox on “Linux” 🦊',
  createdAtMs: NOW_MS,
  seenAtMs: NOW_MS,
  expiresAtMs: NOW_MS + DAY_MS,
}

export function deviceKey(keyId: string, generation = 1): DeviceKey {
  return { keyId, algorithm: 'Ed25519', generation, jwk: `{"x":"${keyId}"}` }
}

export const DEVICE: Device = {
  deviceId: 'd1',
  userId: 'user_1',
  sessionId: 's1',
  name: 'laptop',
  keys: [deviceKey('k1')],
  createdAtMs: NOW_MS,
  usedAtMs: NOW_MS,
}

export const PASSKEY: Passkey = {
  credentialId: 'c1',
  userId: 'user_1',
  name: 'phone',
  publicKey: 'AAAA',
  counter: 1,
  transports: ['internal', 'hybrid'],
  createdAtMs: NOW_MS,
}

export const CODE: OAuthRecord = {
  model: 'AuthorizationCode',
  id: 'code1',
  payload: { jti: 'code1', scope: 'a b', nested: { list: [1, 'zwei', null] } },
  grantId: 's1',
  expiresAtMs: NOW_MS + 60_000,
}
