import { generateKeyPairSync } from 'node:crypto'
import { realSystem } from '@bridgekeeper/bridge'
import { DataFolder } from '@bridgekeeper/standalone'

/** Puts a machine of this user into a data folder, as if it had been enrolled: device `dev_N`, session `session-N`. */
export async function enrolledIn(path: string, userId: string, n: number): Promise<void> {
  const data = await DataFolder.open(path, {}, realSystem())
  try {
    await addDevice(data, userId, n)
  } finally {
    await data.close()
  }
}

async function addDevice(data: DataFolder, userId: string, n: number): Promise<void> {
  const nowMs = Date.now()
  const sessionId = `session-${n}`
  const deviceId = `dev_${n}`
  await data.stores.sessions.add({
    sessionId,
    userId,
    kind: 'device',
    label: 'laptop',
    deviceId,
    createdAtMs: nowMs,
    seenAtMs: nowMs,
    expiresAtMs: nowMs + 600_000,
  })
  const jwk = JSON.stringify(generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }))
  const key = { keyId: `key${n}`, algorithm: 'Ed25519', generation: 1, jwk } as const
  const name = 'my \u001b[31mlaptop'
  await data.stores.devices.add({
    deviceId,
    userId,
    sessionId,
    name,
    keys: [key],
    createdAtMs: nowMs,
    usedAtMs: nowMs,
  })
}
