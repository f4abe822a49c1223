import type { Database } from './schema.ts'

/** Thrown in a transaction to roll it back and refuse the request. */
export class Refused extends Error {}

/** @returns `false` if the transaction threw `Refused` and was rolled back */
export async function unlessRefused(
  db: Database,
  act: (transaction: Database) => Promise<void>,
): Promise<boolean> {
  try {
    await db.transaction().execute(act)
    return true
  } catch (error) {
    if (error instanceof Refused) return false
    throw error
  }
}
