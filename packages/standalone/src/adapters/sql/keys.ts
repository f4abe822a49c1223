import type { KeyStore } from '@bridgekeeper/bridge/parts'
import type { Database } from './schema.ts'

/** Sealed keys of the installation; of two nodes that make one at once, both get the first. */
export function sqlKeys(db: Database): KeyStore {
  async function get(name: string): Promise<string | undefined> {
    const row = await db.selectFrom('keys').select('sealed').where('name', '=', name).executeTakeFirst()
    return row?.sealed
  }

  return {
    get,
    async keep(name, sealed) {
      await db
        .insertInto('keys')
        .values({ name, sealed })
        .onConflict((on) => on.doNothing())
        .execute()
      return (await get(name)) ?? sealed
    },
  }
}
