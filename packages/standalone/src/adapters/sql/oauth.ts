import type { System } from '@bridgekeeper/bridge'
import type { ExpressionBuilder } from 'kysely'
import { z } from 'zod'
import type { OAuthRecord, OAuthStore } from '../../ports.ts'
import type { Database, Tables } from './schema.ts'
import type { Sweep } from './sweep.ts'

const payloadSchema = z.record(z.string(), z.unknown())

/** Records of the authorization server. */
export function sqlOAuth(db: Database, system: System, sweep: Sweep): OAuthStore {
  async function find(
    model: string,
    column: 'id' | 'user_code' | 'uid',
    value: string,
  ): Promise<OAuthRecord | undefined> {
    const row = await db
      .selectFrom('oauth_records')
      .selectAll()
      .where('model', '=', model)
      .where(column, '=', value)
      .where((eb) => eb.or([eb('expires_at_ms', 'is', null), eb('expires_at_ms', '>', system.nowMs())]))
      .executeTakeFirst()
    return row && toRecord(row)
  }

  return {
    async put(record) {
      await put(db, toRow(record))
      sweep()
    },
    find: (model, id) => find(model, 'id', id),
    findByUserCode: (model, userCode) => find(model, 'user_code', userCode),
    findByUid: (model, uid) => find(model, 'uid', uid),
    async consume(model, id, atMs) {
      const { numUpdatedRows } = await db
        .updateTable('oauth_records')
        .set({ consumed_at_ms: Math.floor(atMs) })
        .where('model', '=', model)
        .where('id', '=', id)
        .where('consumed_at_ms', 'is', null)
        .where((eb) => eb.or([eb('expires_at_ms', 'is', null), eb('expires_at_ms', '>', atMs)]))
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
    async extend(model, id, expiresAtMs) {
      await db
        .updateTable('oauth_records')
        .set({ expires_at_ms: Math.floor(expiresAtMs) })
        .where('model', '=', model)
        .where('id', '=', id)
        .where('expires_at_ms', '<', Math.floor(expiresAtMs))
        .execute()
    },
    async trim(model, most, grantId) {
      const isOf = (eb: ExpressionBuilder<Tables, 'oauth_records'>) =>
        eb.and({ model, ...(grantId !== undefined && { grant_id: grantId }) })
      await db
        .deleteFrom('oauth_records')
        .where(isOf)
        .where('id', 'not in', (eb) =>
          eb
            .selectFrom('oauth_records')
            .select('id')
            .where(isOf)
            .orderBy('expires_at_ms', 'desc')
            .limit(most),
        )
        .execute()
    },
    async remove(model, id) {
      await db.deleteFrom('oauth_records').where('model', '=', model).where('id', '=', id).execute()
    },
    async removeGrant(grantId) {
      await db.deleteFrom('oauth_records').where('grant_id', '=', grantId).execute()
    },
  }
}

/** Replaces a record. A consumed record stays consumed, however late the write comes. */
async function put(db: Database, row: Tables['oauth_records']): Promise<void> {
  await db
    .insertInto('oauth_records')
    .values(row)
    .onConflict((on) =>
      on.columns(['model', 'id']).doUpdateSet((eb) => ({
        payload: row.payload,
        grant_id: row.grant_id,
        user_code: row.user_code,
        uid: row.uid,
        expires_at_ms: row.expires_at_ms,
        consumed_at_ms: eb.fn.coalesce('oauth_records.consumed_at_ms', 'excluded.consumed_at_ms'),
      })),
    )
    .execute()
}

function toRow(record: OAuthRecord): Tables['oauth_records'] {
  return {
    model: record.model,
    id: record.id,
    payload: JSON.stringify(record.payload),
    grant_id: record.grantId ?? null,
    user_code: record.userCode ?? null,
    uid: record.uid ?? null,
    expires_at_ms: wholeOrNull(record.expiresAtMs),
    consumed_at_ms: wholeOrNull(record.consumedAtMs),
  }
}

function toRecord(row: Tables['oauth_records']): OAuthRecord {
  return {
    model: row.model,
    id: row.id,
    payload: payloadSchema.parse(JSON.parse(row.payload)),
    ...(row.grant_id !== null && { grantId: row.grant_id }),
    ...(row.user_code !== null && { userCode: row.user_code }),
    ...(row.uid !== null && { uid: row.uid }),
    ...(row.expires_at_ms !== null && { expiresAtMs: row.expires_at_ms }),
    ...(row.consumed_at_ms !== null && { consumedAtMs: row.consumed_at_ms }),
  }
}

function wholeOrNull(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.floor(ms)
}
