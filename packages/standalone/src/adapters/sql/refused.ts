import type { Database } from './schema.ts'

/** Thrown in a transaction: nothing of it is to stay, and the answer is no. */
export class Refused extends Error {}

/** @returns whether it was done; it is done whole, or not at all where it throws `Refused` */
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
