import { type FSWatcher, watch } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { coalesce } from '../coalesce.ts'
import type { System } from '../system.ts'

/** Time without a change after which a file is read: one save may be several changes. */
export const QUIET_MS = 200
/** Time after which a file that keeps changing is read all the same. */
export const LATEST_MS = 2_000
/** Finds changes that the system does not report, such as those on network drives. */
export const POLL_MS = 5_000

/**
 * Calls back when a file may have changed, also if it is replaced, removed or behind a link. Watches the folder,
 * since a watched file is lost when an editor replaces it.
 */
export class FileWatch {
  readonly #path: string
  readonly #system: System
  readonly #changed: () => Promise<void>
  #watchers: readonly FSWatcher[] = []
  #folders: readonly string[] = []
  #isLink = false
  #identity: string | undefined
  /** Time of the first change that was not read yet. */
  #sinceMs: number | undefined
  #isOver = false
  #cancelRead = () => {}
  #cancelPoll = () => {}

  /** @param changed never rejects */
  constructor(path: string, system: System, changed: () => Promise<void>) {
    this.#path = path
    this.#system = system
    this.#changed = changed
    this.#read()
    this.#pollLater()
  }

  close(): void {
    this.#isOver = true
    this.#cancelRead()
    this.#cancelPoll()
    this.#replaceWatchers([])
  }

  /** Calls back once the file has been quiet. */
  readonly soon = (): void => {
    if (this.#isOver) return
    const nowMs = this.#system.monotonicMs()
    this.#sinceMs ??= nowMs
    this.#cancelRead()
    const delayMs = Math.min(QUIET_MS, Math.max(0, this.#sinceMs + LATEST_MS - nowMs))
    this.#cancelRead = this.#system.schedule(delayMs, () => {
      this.#sinceMs = undefined
      this.#read()
    })
  }

  readonly #read = coalesce(async () => {
    const identity = await identityOf(this.#path)
    const folders = await this.#foldersNow()
    if (this.#isOver) return
    // Folders of the same name may be others now.
    if (identity !== this.#identity || folders.join('\n') !== this.#folders.join('\n')) this.#watch(folders)
    this.#identity = identity
    await this.#changed()
  })

  #pollLater(): void {
    this.#cancelPoll = this.#system.schedule(POLL_MS, () => void this.#poll())
  }

  async #poll(): Promise<void> {
    if ((await identityOf(this.#path)) !== this.#identity) this.soon()
    if (!this.#isOver) this.#pollLater()
  }

  /** That of the path, and that of the file if the path is a link. */
  async #foldersNow(): Promise<readonly string[]> {
    const target = await realpath(this.#path).catch(() => this.#path)
    this.#isLink = target !== this.#path
    return [...new Set([dirname(this.#path), dirname(target)])]
  }

  #watch(folders: readonly string[]): void {
    // A link may lead over others, of any name.
    const isOurs = (name: string | null) => this.#isLink || name === null || name === basename(this.#path)
    this.#folders = folders
    this.#replaceWatchers(folders.flatMap((folder) => watchFolder(folder, isOurs, this.soon) ?? []))
  }

  #replaceWatchers(next: readonly FSWatcher[]): void {
    const old = this.#watchers
    this.#watchers = next
    for (const watcher of old) watcher.close()
  }
}

/** @returns `undefined` if the folder cannot be watched; then only the poll finds changes */
function watchFolder(
  folder: string,
  isOurs: (name: string | null) => boolean,
  changed: () => void,
): FSWatcher | undefined {
  try {
    const watcher = watch(folder, (_, name) => {
      if (isOurs(name)) changed()
    })
    return watcher.on('error', () => watcher.close())
  } catch {
    return undefined
  }
}

/** Equal for the same version of a file, as far as the system can tell. */
async function identityOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}
