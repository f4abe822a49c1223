import type { Device, DeviceStore } from '../../src/ports/devices.ts'
import type { KeyStore } from '../../src/ports/keys.ts'
import type { Session, SessionStore } from '../../src/ports/sessions.ts'

/** Sessions in memory, by the port's contract. */
export function memorySessions(sessions: readonly Session[] = []): SessionStore {
  const all = new Map(sessions.map((session) => [session.sessionId, session]))
  return {
    add: async (session) => void all.set(session.sessionId, session),
    find: async (sessionId) => all.get(sessionId),
    ofUser: async (userId) => [...all.values()].filter((session) => session.userId === userId),
    async seen(sessionId, atMs) {
      const session = all.get(sessionId)
      if (session !== undefined && session.seenAtMs < atMs) all.set(sessionId, { ...session, seenAtMs: atMs })
    },
    end: async (sessionId) => all.delete(sessionId),
  }
}

/** Devices in memory, by the port's contract. */
export function memoryDevices(devices: readonly Device[] = []): DeviceStore {
  const all = new Map(devices.map((device) => [device.deviceId, device]))
  /** Owner of every key that is or was a device's. */
  const owners = new Map(devices.flatMap(({ keys, userId }) => keys.map(({ keyId }) => [keyId, userId])))
  const last = new Map<string, readonly [last: string, before: string]>()
  return {
    async add(device) {
      if (device.keys.some(({ keyId }) => owners.has(keyId))) return false
      for (const { keyId } of device.keys) owners.set(keyId, device.userId)
      all.set(device.deviceId, device)
      return true
    },
    find: async (deviceId) => all.get(deviceId),
    ofUser: async (userId) => [...all.values()].filter((device) => device.userId === userId),
    hasEnrolled: async (userId) => [...owners.values()].includes(userId),
    async rotate(deviceId, key, oldRetiresAtMs) {
      const device = all.get(deviceId)
      const [current, ...older] = device?.keys ?? []
      if (device === undefined || current?.generation !== key.generation - 1 || owners.has(key.keyId))
        return false
      owners.set(key.keyId, device.userId)
      all.set(deviceId, { ...device, keys: [key, { ...current, retiresAtMs: oldRetiresAtMs }, ...older] })
      return true
    },
    async connected(deviceId, connectionId, previous) {
      if (!all.has(deviceId)) return 'unknown'
      const [newest, before] = last.get(deviceId) ?? ['', '']
      if (previous !== newest && previous !== before) return 'diverged'
      last.set(deviceId, [connectionId, previous === newest ? newest : before])
      return 'continued'
    },
    revoke: async (deviceId) => all.delete(deviceId),
  }
}

export function memoryKeys(
  kept = new Map<string, string>(),
): KeyStore & { readonly kept: Map<string, string> } {
  return {
    kept,
    get: async (name) => kept.get(name),
    async keep(name, sealed) {
      const there = kept.get(name)
      if (there !== undefined) return there
      kept.set(name, sealed)
      return sealed
    },
  }
}
