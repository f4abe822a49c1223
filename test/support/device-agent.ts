import { createPublicKey, type KeyObject } from 'node:crypto'
import type { DeviceIdentity } from '@bridgekeeper/agent'
import { signWith, type TestDevice } from './devices.ts'

/** A device as the agent's link uses it. */
export function identityOf(
  device: TestDevice,
  bridgeKey: KeyObject,
  changes: Partial<DeviceIdentity> = {},
): DeviceIdentity {
  const { deviceId, userId, sessionId, previous } = device
  const { keyId, generation } = device.key.public
  return {
    ...{ deviceId, userId, sessionId, previous, keyId, generation },
    bridgeKeys: [createPublicKey(bridgeKey).export({ format: 'jwk' })],
    sign: (bytes) => signWith(device.key, bytes),
    async remember(connectionId) {
      device.previous = connectionId
    },
    ...changes,
  }
}
