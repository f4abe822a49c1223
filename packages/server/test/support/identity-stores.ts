import type { Device, DeviceStore, KeyStore, Session, SessionStore } from '../../src/ports/identity.ts'

/** Sessions in memory, as the port says. */
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

/** Devices in memory, as far as tokens look at them. */
export function memoryDevices(devices: readonly Device[] = []): DeviceStore {
  const all = new Map(devices.map((device) => [device.deviceId, device]))
  const ofUser = async (userId: string) => [...all.values()].filter((device) => device.userId === userId)
  return {
    async add(device) {
      all.set(device.deviceId, device)
      return true
    },
    find: async (deviceId) => all.get(deviceId),
    ofUser,
    hasEnrolled: async (userId) => (await ofUser(userId)).length > 0,
    rotate: async () => false,
    connected: async () => 'continued',
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
