import { thumbprint } from '@bridgekeeper/protocol'
import { deviceKey, makePrivateJwk } from '../../src/keychain/device-key.ts'
import type { EnrolledRecord, StoredKey } from '../../src/keychain/record.ts'

export const BRIDGE = 'https://bridge.example.com'

const bridgeKey = deviceKey(makePrivateJwk()).publicJwk

/** A key with its private half in the record. */
export function storedInFile(): StoredKey {
  const privateKey = makePrivateJwk()
  return { keyId: deviceKey(privateKey).keyId, keyStore: 'file', privateKey }
}

export function enrolledRecord(stored: StoredKey = storedInFile(), bridge = BRIDGE): EnrolledRecord {
  return {
    version: 1,
    state: 'enrolled',
    bridge,
    deviceId: 'device_1',
    userId: 'user_ann',
    sessionId: 'session_1',
    name: 'laptop',
    ...stored,
    generation: 1,
    madeAtMs: 1_800_000_000_000,
    bridgeKey,
    bridgeKeyId: thumbprint(bridgeKey),
    previous: '',
  }
}
