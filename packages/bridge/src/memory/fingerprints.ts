import type { FingerprintStore } from '../ports.ts'

/** Logins kept in memory; beyond them the least recently seen is evicted. */
const MAX_LOGINS = 100_000

export function memoryFingerprints(): FingerprintStore {
  const bySession = new Map<string, string>()
  return {
    last: async (sessionId) => bySession.get(sessionId),
    async remember(sessionId, fingerprint) {
      bySession.delete(sessionId)
      bySession.set(sessionId, fingerprint)
      const longestUnseen = bySession.keys().next()
      if (bySession.size > MAX_LOGINS && !longestUnseen.done) bySession.delete(longestUnseen.value)
    },
  }
}
