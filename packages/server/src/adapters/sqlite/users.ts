import { z } from 'zod'
import type { User, UserStore } from '../../ports.ts'
import type { Database } from './database.ts'

const rowSchema = z.object({
  user_id: z.string(),
  email: z.string(),
  token_version: z.number(),
  created_at_ms: z.number(),
  state: z.enum(['active', 'suspended']),
})

/** Users in SQLite. Several processes may use one file; the unique email makes `add` atomic. */
export function sqliteUsers(database: Database): UserStore {
  const byId = database.prepare('SELECT * FROM users WHERE user_id = ?')
  const byEmail = database.prepare('SELECT * FROM users WHERE email = ? COLLATE NOCASE')
  const insert = database.prepare(
    `INSERT INTO users (user_id, email, token_version, created_at_ms, state) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
  )
  const setState = database.prepare('UPDATE users SET state = ? WHERE user_id = ? RETURNING *')
  const raise = database.prepare(
    'UPDATE users SET token_version = token_version + 1 WHERE user_id = ? RETURNING *',
  )
  return {
    findById: async (userId) => toUser(byId.get(userId)),
    findByEmail: async (email) => toUser(byEmail.get(email)),
    async add(user) {
      const { userId, email, tokenVersion, createdAtMs, state } = user
      const { changes } = insert.run(userId, email, tokenVersion, createdAtMs, state)
      return Number(changes) === 1 ? user : undefined
    },
    setState: async (userId, state) => toUser(setState.get(state, userId)),
    raiseTokenVersion: async (userId) => toUser(raise.get(userId)),
  }
}

function toUser(row: unknown): User | undefined {
  if (row === undefined) return undefined
  const { user_id, email, token_version, created_at_ms, state } = rowSchema.parse(row)
  return { userId: user_id, email, tokenVersion: token_version, createdAtMs: created_at_ms, state }
}
