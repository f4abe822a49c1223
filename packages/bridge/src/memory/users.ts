import type { User, UserStore } from '../ports.ts'

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
