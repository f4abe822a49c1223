import { z } from 'zod'
import type { CredentialStore, Credentials, Passkey } from '../../ports.ts'
import type { Database, Tables } from './schema.ts'

const transportsSchema = z.array(z.string())

/** Passwords, second factors, passkeys, and links to a provider. */
export function sqlCredentials(db: Database): CredentialStore {
  return { ...secrets(db), ...passkeys(db), ...links(db) }
}

type Secrets = Pick<CredentialStore, 'find' | 'setPassword' | 'setTotp' | 'useTotpStep'>

function secrets(db: Database): Secrets {
  return {
    async find(userId) {
      const query = db.selectFrom('credentials').selectAll().where('user_id', '=', userId)
      const row = await query.executeTakeFirst()
      return row && toCredentials(row)
    },
    async setPassword(userId, passwordHash) {
      const hash = passwordHash ?? null
      await db
        .insertInto('credentials')
        .values({ user_id: userId, password_hash: hash, totp_secret: null, totp_used_step: null })
        .onConflict((on) => on.column('user_id').doUpdateSet({ password_hash: hash }))
        .execute()
    },
    async setTotp(userId, totpSecret) {
      const secret = totpSecret ?? null
      await db
        .insertInto('credentials')
        .values({ user_id: userId, password_hash: null, totp_secret: secret, totp_used_step: null })
        .onConflict((on) =>
          on.column('user_id').doUpdateSet((eb) => ({
            totp_secret: secret,
            // Steps of the previous secret do not apply to the new one.
            totp_used_step: eb
              .case()
              .when('credentials.totp_secret', '=', eb.ref('excluded.totp_secret'))
              .then(eb.ref('credentials.totp_used_step'))
              .end(),
          })),
        )
        .execute()
    },
    async useTotpStep(userId, step) {
      const { numUpdatedRows } = await db
        .updateTable('credentials')
        .set({ totp_used_step: step })
        .where('user_id', '=', userId)
        .where((eb) => eb.or([eb('totp_used_step', 'is', null), eb('totp_used_step', '<', step)]))
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
  }
}

type Passkeys = Pick<
  CredentialStore,
  'addPasskey' | 'findPasskey' | 'passkeysOf' | 'usedPasskey' | 'removePasskey'
>

function passkeys(db: Database): Passkeys {
  return {
    async addPasskey(passkey) {
      const query = db
        .insertInto('passkeys')
        .values(toRow(passkey))
        .onConflict((on) => on.doNothing())
      return (await query.returning('credential_id').executeTakeFirst()) !== undefined
    },
    async findPasskey(credentialId) {
      const query = db.selectFrom('passkeys').selectAll().where('credential_id', '=', credentialId)
      const row = await query.executeTakeFirst()
      return row && toPasskey(row)
    },
    async passkeysOf(userId) {
      const query = db.selectFrom('passkeys').selectAll().where('user_id', '=', userId)
      return (await query.orderBy('created_at_ms').orderBy('credential_id').execute()).map(toPasskey)
    },
    async usedPasskey(credentialId, counter) {
      await db
        .updateTable('passkeys')
        .set({ counter })
        .where('credential_id', '=', credentialId)
        .where('counter', '<', counter)
        .execute()
    },
    async removePasskey(userId, credentialId) {
      const { numDeletedRows } = await db
        .deleteFrom('passkeys')
        .where('credential_id', '=', credentialId)
        .where('user_id', '=', userId)
        .executeTakeFirst()
      return numDeletedRows === 1n
    },
  }
}

type Links = Pick<
  CredentialStore,
  'findLinkedUser' | 'linkIdentity' | 'linkedIdentitiesOf' | 'unlinkIdentity'
>

function links(db: Database): Links {
  return {
    async findLinkedUser(issuer, subject) {
      const query = db.selectFrom('upstream_links').select('user_id').where('issuer', '=', issuer)
      return (await query.where('subject', '=', subject).executeTakeFirst())?.user_id
    },
    async linkIdentity(issuer, subject, userId) {
      const query = db
        .insertInto('upstream_links')
        .values({ issuer, subject, user_id: userId })
        .onConflict((on) => on.doNothing())
      return (await query.returning('subject').executeTakeFirst()) !== undefined
    },
    async linkedIdentitiesOf(userId) {
      const query = db.selectFrom('upstream_links').select(['issuer', 'subject'])
      return query.where('user_id', '=', userId).orderBy('issuer').orderBy('subject').execute()
    },
    async unlinkIdentity(userId, issuer, subject) {
      const { numDeletedRows } = await db
        .deleteFrom('upstream_links')
        .where('issuer', '=', issuer)
        .where('subject', '=', subject)
        .where('user_id', '=', userId)
        .executeTakeFirst()
      return numDeletedRows === 1n
    },
  }
}

function toCredentials(row: Tables['credentials']): Credentials {
  return {
    userId: row.user_id,
    ...(row.password_hash !== null && { passwordHash: row.password_hash }),
    ...(row.totp_secret !== null && { totpSecret: row.totp_secret }),
    ...(row.totp_used_step !== null && { totpUsedStep: row.totp_used_step }),
  }
}

function toRow(passkey: Passkey): Tables['passkeys'] {
  return {
    credential_id: passkey.credentialId,
    user_id: passkey.userId,
    name: passkey.name,
    public_key: passkey.publicKey,
    counter: passkey.counter,
    transports: JSON.stringify(passkey.transports),
    created_at_ms: Math.floor(passkey.createdAtMs),
  }
}

function toPasskey(row: Tables['passkeys']): Passkey {
  return {
    credentialId: row.credential_id,
    userId: row.user_id,
    name: row.name,
    publicKey: row.public_key,
    counter: row.counter,
    transports: transportsSchema.parse(JSON.parse(row.transports)),
    createdAtMs: row.created_at_ms,
  }
}
