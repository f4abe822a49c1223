import type { System, User } from '@bridgekeeper/bridge'
import type { Updateable } from 'kysely'
import type { AccountStore } from '../../ports.ts'
import { publishWithin } from './revocations.ts'
import { type Database, emailKey, type Tables } from './schema.ts'
import { endSessions } from './sessions.ts'

/** Users; the unique email makes `add` atomic between processes. */
export function sqlUsers(db: Database, system: System): AccountStore {
  const all = db.selectFrom('users').selectAll()

  async function change(userId: string, changed: Updateable<Tables['users']>): Promise<User | undefined> {
    const query = db.updateTable('users').set(changed).where('user_id', '=', userId).returningAll()
    const row = await query.executeTakeFirst()
    return row && toUser(row)
  }

  return {
    async findById(userId) {
      const row = await all.where('user_id', '=', userId).executeTakeFirst()
      return row && toUser(row)
    },
    async findByEmail(email) {
      const row = await all.where('email_key', '=', emailKey(email)).executeTakeFirst()
      return row && toUser(row)
    },
    async list(afterEmail, limit) {
      const query = all.where('email_key', '>', emailKey(afterEmail)).orderBy('email_key').limit(limit)
      return (await query.execute()).map(toUser)
    },
    async add(user) {
      const query = db
        .insertInto('users')
        .values(toRow(user))
        .onConflict((on) => on.doNothing())
      const row = await query.returningAll().executeTakeFirst()
      return row && toUser(row)
    },
    setState: (userId, state) => change(userId, { state }),
    setRole: (userId, role) => change(userId, { role }),
    async raiseTokenVersion(userId) {
      const query = db
        .updateTable('users')
        .set((eb) => ({ token_version: eb('token_version', '+', 1) }))
        .where('user_id', '=', userId)
      const row = await query.returningAll().executeTakeFirst()
      return row && toUser(row)
    },
    remove: (userId) =>
      db.transaction().execute(async (transaction) => {
        if (!(await removeUser(transaction, userId))) return false
        await publishWithin(transaction, { kind: 'user', id: userId }, system.nowMs())
        return true
      }),
  }
}

/** Removes a user and all their data. The keys of the user's devices stay known. */
async function removeUser(transaction: Database, userId: string): Promise<boolean> {
  const removed = await transaction.deleteFrom('users').where('user_id', '=', userId).executeTakeFirst()
  if (removed.numDeletedRows === 0n) return false
  await endSessions(transaction, 'user_id', userId)
  for (const table of ['devices', 'credentials', 'passkeys', 'upstream_links', 'call_times'] as const) {
    await transaction.deleteFrom(table).where('user_id', '=', userId).execute()
  }
  return true
}

function toRow({ userId, email, tokenVersion, createdAtMs, state, role = 'user' }: User): Tables['users'] {
  return {
    user_id: userId,
    email,
    email_key: emailKey(email),
    token_version: tokenVersion,
    created_at_ms: Math.floor(createdAtMs),
    state,
    role,
  }
}

function toUser(row: Tables['users']): User {
  return {
    userId: row.user_id,
    email: row.email,
    tokenVersion: row.token_version,
    createdAtMs: row.created_at_ms,
    state: row.state,
    role: row.role,
  }
}
