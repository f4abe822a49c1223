import type { Revocation, Revocations, System } from '@bridgekeeper/bridge'
import { type Database, nextNumber } from './schema.ts'

const POLL_MS = 250
const MAX_AT_ONCE = 1_000
/** A node that cannot read for longer than this has lost its logins anyway. */
const KEEP_MS = 7 * 86_400_000

type Listener = (revocation: Revocation) => void

/**
 * Revocations as numbered rows, which each node polls every 250 ms while it has watchers. Numbers commit in
 * order, so that none is skipped; after an outage a node continues from its last number.
 */
export class SqlRevocations implements Revocations {
  readonly #db: Database
  readonly #system: System
  readonly #watchers = new Set<Listener>()
  #lastId: number
  #lookedAtMs = 0
  #reading: Promise<void> | undefined
  #cancelTimer = (): void => {}

  private constructor(db: Database, system: System, lastId: number) {
    this.#db = db
    this.#system = system
    this.#lastId = lastId
  }

  /** Watchers get revocations published from now on. */
  static async open(db: Database, system: System): Promise<SqlRevocations> {
    const query = db.selectFrom('counters').select('value').where('name', '=', 'revocations')
    return new SqlRevocations(db, system, (await query.executeTakeFirstOrThrow()).value)
  }

  async publish(revocation: Revocation): Promise<void> {
    const nowMs = this.#system.nowMs()
    await this.#db.transaction().execute((transaction) => publishWithin(transaction, revocation, nowMs))
    // Watchers here need not wait for the next reading. It is published, also where this reading fails.
    if (this.#watchers.size > 0) await this.#read().catch(() => {})
  }

  watch(listener: Listener): () => void {
    // A separate function per watch, so that the same function can watch twice and end each watch.
    const watcher: Listener = (revocation) => listener(revocation)
    this.#watchers.add(watcher)
    if (this.#watchers.size === 1) {
      this.#lookedAtMs = this.#system.monotonicMs()
      this.#readAgain()
    }
    return () => {
      this.#watchers.delete(watcher)
      if (this.#watchers.size === 0) this.#cancelTimer()
    }
  }

  behindMs(): number {
    return this.#watchers.size === 0 ? 0 : this.#system.monotonicMs() - this.#lookedAtMs
  }

  close(): void {
    this.#watchers.clear()
    this.#cancelTimer()
  }

  #readAgain(): void {
    this.#cancelTimer = this.#system.after(POLL_MS, () => {
      const again = (): void => {
        if (this.#watchers.size > 0) this.#readAgain()
      }
      this.#read().then(again, again)
    })
  }

  /** Reads one at a time, so that each is delivered once. Rejects while the database is down. */
  async #read(): Promise<void> {
    const before = this.#reading
    const reading = (async () => {
      await before?.catch(() => {})
      await this.#deliverNew()
    })()
    this.#reading = reading
    await reading
  }

  async #deliverNew(): Promise<void> {
    for (;;) {
      const beganAtMs = this.#system.monotonicMs()
      const query = this.#db.selectFrom('revocations').selectAll().where('id', '>', this.#lastId)
      const rows = await query.orderBy('id').limit(MAX_AT_ONCE).execute()
      for (const { id, kind, target } of rows) {
        this.#lastId = id
        for (const listener of this.#watchers) listener({ kind, id: target })
      }
      if (rows.length === MAX_AT_ONCE) continue
      this.#lookedAtMs = beganAtMs
      return
    }
  }
}

/**
 * Publishes a revocation with the transaction: if that rolls back, nothing is published. Call it last, as other
 * publishers wait from here until the transaction ends.
 */
export async function publishWithin(
  transaction: Database,
  { kind, id: target }: Revocation,
  nowMs: number,
): Promise<void> {
  const atMs = Math.floor(nowMs)
  const id = await nextNumber(transaction, 'revocations')
  await transaction.insertInto('revocations').values({ id, kind, target, at_ms: atMs }).execute()
  await transaction
    .deleteFrom('revocations')
    .where('at_ms', '<', atMs - KEEP_MS)
    .execute()
}
