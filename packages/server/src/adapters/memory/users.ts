import type { User, UserStore } from '../../ports.ts'

/** Users in memory, gone with the process: for tests and for apps that bring their own accounts. */
export function memoryUsers(initial: readonly User[] = []): UserStore {
  const byId = new Map(initial.map((user) => [user.userId, user]))
  const byEmail = new Map(initial.map((user) => [user.email.toLowerCase(), user]))
  return {
    findById: async (userId) => byId.get(userId),
    findByEmail: async (email) => byEmail.get(email.toLowerCase()),
    async add(user) {
      const email = user.email.toLowerCase()
      if (byEmail.has(email)) return undefined
      byId.set(user.userId, user)
      byEmail.set(email, user)
      return user
    },
  }
}
