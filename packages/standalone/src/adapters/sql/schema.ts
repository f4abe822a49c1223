import type { UserState } from '@bridgekeeper/bridge'
import type { BlockKind, DeviceAlgorithm, Session, UserRole } from '@bridgekeeper/bridge/parts'
import type { Kysely } from 'kysely'

/** The tables, the same in SQLite and PostgreSQL. Times are whole milliseconds since the epoch. */
export interface Tables {
  readonly users: {
    readonly user_id: string
    readonly email: string
    /** The email without regard to letter case: see `emailKey`. */
    readonly email_key: string
    readonly token_version: number
    readonly created_at_ms: number
    readonly state: UserState
    readonly role: UserRole
  }
  readonly settings: { readonly name: string; readonly value: string }
  readonly blocks: { readonly kind: BlockKind; readonly key: string; readonly until_ms: number }
  readonly fingerprints: {
    readonly session_id: string
    readonly fingerprint: string
    readonly seen_at_ms: number
  }
  readonly call_times: {
    readonly user_id: string
    /** JSON array of numbers. */
    readonly called_at_ms: string
    readonly newest_at_ms: number
  }
  readonly log_outbox: { readonly id: number; readonly at_ms: number; readonly event: string }
  /** Numbers for rows that must be seen in the order of their numbers: see `nextNumber`. */
  readonly counters: { readonly name: CounterName; readonly value: number }
  readonly revocations: {
    readonly id: number
    readonly kind: 'user' | 'session' | 'device'
    readonly target: string
    readonly at_ms: number
  }
  readonly sessions: {
    readonly session_id: string
    readonly user_id: string
    readonly kind: Session['kind']
    readonly label: string
    readonly client_id: string | null
    readonly device_id: string | null
    readonly created_at_ms: number
    readonly seen_at_ms: number
    readonly expires_at_ms: number
    /** Generation of the current refresh token. */
    readonly refresh_generation: number
    /** When the latest ones before it were used: JSON array of numbers. */
    readonly refresh_uses: string
    /** Scopes of an issued token, separated by spaces; empty for other kinds. */
    readonly scopes: string
  }
  readonly devices: {
    readonly device_id: string
    readonly user_id: string
    readonly session_id: string
    readonly name: string
    /** Generation of the current key. */
    readonly generation: number
    readonly created_at_ms: number
    readonly used_at_ms: number
    readonly last_connection: string
    /** The one that was last before it. */
    readonly before_connection: string
  }
  /** A key belongs to one device for ever. Of retired keys, the latest 1,024 of each user stay. */
  readonly device_keys: {
    readonly key_id: string
    readonly device_id: string
    readonly user_id: string
    readonly algorithm: DeviceAlgorithm
    readonly generation: number
    readonly jwk: string
    readonly retires_at_ms: number | null
    readonly revoked_at_ms: number | null
  }
  readonly credentials: {
    readonly user_id: string
    readonly password_hash: string | null
    readonly totp_secret: string | null
    readonly totp_used_step: number | null
  }
  readonly passkeys: {
    readonly credential_id: string
    readonly user_id: string
    readonly name: string
    readonly public_key: string
    readonly counter: number
    /** JSON array of strings. */
    readonly transports: string
    readonly created_at_ms: number
  }
  readonly upstream_links: { readonly issuer: string; readonly subject: string; readonly user_id: string }
  readonly oauth_records: {
    readonly model: string
    readonly id: string
    /** JSON object. */
    readonly payload: string
    readonly grant_id: string | null
    readonly user_code: string | null
    readonly uid: string | null
    readonly expires_at_ms: number | null
    readonly consumed_at_ms: number | null
  }
  readonly keys: { readonly name: string; readonly sealed: string }
}

export type CounterName = 'revocations' | 'log_outbox'

/** A database with these tables, or a transaction in it. */
export type Database = Kysely<Tables>

/**
 * Key under which two emails are the same. Folds ASCII letters only, as SQLite's NOCASE does: folding all of
 * Unicode would merge different accounts, such as K and the Kelvin sign.
 */
export function emailKey(email: string): string {
  return email.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

/**
 * Takes the next number of a counter, in the transaction that writes the row. Until it ends no other process
 * gets a number, so a reader that saw a number has seen all before it.
 */
export async function nextNumber(transaction: Database, name: CounterName): Promise<number> {
  const { value } = await transaction
    .updateTable('counters')
    .set((eb) => ({ value: eb('value', '+', 1) }))
    .where('name', '=', name)
    .returning('value')
    .executeTakeFirstOrThrow()
  return value
}
