import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Env } from '../env.ts'
import type { System } from '../system.ts'
import { ConfigError } from './config-error.ts'
import type { ServerEntry } from './entry.ts'
import { FileWatch } from './file-watch.ts'
import { parseConfig, parseEdit, readConfigText } from './read-config.ts'

export interface ConfigWatchers {
  readonly system: System
  /** Receives all entries of a version that differs. */
  readonly onServers: (servers: readonly ServerEntry[]) => void
  /** Receives once for each version why it cannot be used. */
  readonly onUnread: (error: ConfigError) => void
}

/** One version of the file. */
interface Version {
  readonly print: string
  readonly content: readonly ServerEntry[] | ConfigError
}

/** The user's `mcpServers` file, which may change while the agent runs. */
export class ConfigFile {
  readonly #path: string
  readonly #env: Env
  #isRegular = false
  /** Version that was reported last. */
  #known: string | undefined
  /** Version that could not be used: perhaps the editor has not finished. */
  #suspect: string | undefined
  /** Entries of the last usable version; `undefined` after another one. */
  #servers: readonly ServerEntry[] | undefined

  constructor(path: string, env: Env) {
    this.#path = resolve(path)
    this.#env = env
  }

  /** Reads the file for the start. @throws ConfigError as `readConfig` */
  async read(): Promise<readonly ServerEntry[]> {
    this.#isRegular = await isRegularFile(this.#path)
    const text = await readConfigText(this.#path)
    const servers = parseConfig(text, this.#env, dirname(this.#path))
    this.#servers = servers
    this.#known = printOf(text)
    return servers
  }

  /** Watches for edits since it was read for the start. @returns ends that */
  watch(watchers: ConfigWatchers): () => void {
    // Nothing can be read twice from a pipe.
    if (!this.#isRegular) return () => {}
    let isOver = false
    const watch = new FileWatch(this.#path, watchers.system, async () => {
      const version = await this.#version()
      if (!isOver && this.#take(version, watchers) === 'suspect') watch.soon()
    })
    return () => {
      isOver = true
      watch.close()
    }
  }

  /** Reports a new version. One that cannot be used is reported when it is seen for the second time. */
  #take({ print, content }: Version, { onServers, onUnread }: ConfigWatchers): 'suspect' | 'done' {
    const isSuspect = content instanceof ConfigError && print !== this.#known && print !== this.#suspect
    this.#suspect = isSuspect ? print : undefined
    if (isSuspect) return 'suspect'
    if (print === this.#known) return 'done'
    this.#known = print
    const before = this.#servers
    this.#servers = content instanceof ConfigError ? undefined : content
    if (content instanceof ConfigError) onUnread(content)
    else if (!isDeepStrictEqual(byName(content), before && byName(before))) onServers(content)
    return 'done'
  }

  async #version(): Promise<Version> {
    let print: string | undefined
    try {
      if (!(await isRegularFile(this.#path))) throw notAFile(this.#path)
      const text = await readConfigText(this.#path)
      print = printOf(text)
      return { print, content: parseEdit(text, this.#env, dirname(this.#path)) }
    } catch (error) {
      const content = error instanceof ConfigError ? error : unreadable(this.#path)
      return { print: print ?? content.message, content }
    }
  }
}

/** Maps are compared without the order of their members, which changes nothing. */
function byName(servers: readonly ServerEntry[]): ReadonlyMap<string, ServerEntry> {
  return new Map(servers.map((entry) => [entry.name, entry]))
}

/** Keeps no copy of the text, which may hold secrets. */
function printOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Opening anything else, such as a named pipe, could wait for ever. A missing file is reported when it is read. */
function isRegularFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => true,
  )
}

function notAFile(path: string): ConfigError {
  return new ConfigError(
    'config_missing',
    `The config file ${path} is not a regular file any more.`,
    'Create it again.',
  )
}

/** Such as a structure that is nested too deeply for the parser. */
function unreadable(path: string): ConfigError {
  return new ConfigError(
    'config_malformed',
    `The config file ${path} cannot be understood.`,
    'Compare it with the last version that worked.',
  )
}
