import { isDeepStrictEqual } from 'node:util'
import type { ServerEntry } from '../config/entry.ts'

/** Names of servers. Those with an equal entry are in none of the lists. */
export interface EntryChanges {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly string[]
}

type Entries = ReadonlyMap<string, ServerEntry>

export function changesOf(before: Entries, after: Entries): EntryChanges {
  const names = [...after.keys()]
  return {
    added: names.filter((name) => !before.has(name)),
    removed: [...before.keys()].filter((name) => !after.has(name)),
    changed: names.filter(
      (name) => before.has(name) && !isDeepStrictEqual(before.get(name), after.get(name)),
    ),
  }
}
