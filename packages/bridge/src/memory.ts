import type { Revocation, Revocations } from './ports/sessions.ts'
import type { FingerprintStore, SecurityLog, User, UserStore } from './ports.ts'
import type { SecurityEvent } from './security-log/events.ts'

/** Users in memory, lost with the process: for tests and for apps with their own accounts. */
export function memoryUsers(initial: readonly User[] = []): UserStore {
  const byId = new Map(initial.map((user) => [user.userId, user]))
  const idByEmail = new Map(initial.map((user) => [user.email.toLowerCase(), user.userId]))

  function change(userId: string, changed: (user: User) => Partial<User>): User | undefined {
    const user = byId.get(userId)
    if (user === undefined) return undefined
    const after = { ...user, ...changed(user) }
    byId.set(userId, after)
    return after
  }

  return {
    findById: async (userId) => byId.get(userId),
    findByEmail: async (email) => byId.get(idByEmail.get(email.toLowerCase()) ?? ''),
    async add(user) {
      const email = user.email.toLowerCase()
      if (idByEmail.has(email)) return undefined
      byId.set(user.userId, user)
      idByEmail.set(email, user.userId)
      return user
    },
    setState: async (userId, state) => change(userId, () => ({ state })),
    raiseTokenVersion: async (userId) =>
      change(userId, ({ tokenVersion }) => ({ tokenVersion: tokenVersion + 1 })),
  }
}

/**
 * Passes each event to a function as an object, for apps with their own log and for tests. If the function
 * throws, the event is lost and the bridge continues.
 */
export function callbackLog(receive: (event: SecurityEvent) => void): SecurityLog {
  function logSecurityEvent(event: SecurityEvent): void {
    try {
      receive(event)
    } catch {
      // The receiver reports its own faults.
    }
  }
  return { logSecurityEvent, afterWritten: (run) => run(), writable: true }
}

/** Revocations within one process, for bridges of one node and for tests. Never down. */
export function memoryRevocations(): Revocations {
  const watchers = new Set<(revocation: Revocation) => void>()
  return {
    async publish(revocation) {
      for (const listener of [...watchers]) listener(revocation)
    },
    watch(listener) {
      // A separate function per watch, so that the same function can watch twice and each watch ends once.
      const watcher = (revocation: Revocation): void => listener(revocation)
      watchers.add(watcher)
      return () => void watchers.delete(watcher)
    },
    behindMs: () => 0,
  }
}

/** Logins kept in memory; beyond them the least recently seen is evicted. */
const MAX_LOGINS = 100_000

/** Keeps fingerprints of clients in memory. */
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
