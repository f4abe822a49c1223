import type { Database } from './database.ts'

/** Small facts about an installation, by name. A write replaces what was there. */
export interface Settings {
  get(name: string): string | undefined
  set(name: string, value: string): void
}

export function sqliteSettings(database: Database): Settings {
  const read = database.prepare('SELECT value FROM settings WHERE name = ?')
  const write = database.prepare(
    'INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
  )
  return {
    get(name) {
      const value = read.get(name)?.value
      return typeof value === 'string' ? value : undefined
    },
    set: (name, value) => void write.run(name, value),
  }
}
