import { dirname } from 'node:path'
import { parseJson } from '@bridgekeeper/protocol'
import { z } from 'zod'
import type { ExchangeEvent } from '../events.ts'
import { oldestOfMost } from '../fair-share.ts'
import { privateFolder, readPrivate, writePrivate } from '../keychain/private-file.ts'
import type { System } from '../system.ts'
import type { Session, SessionFacts } from './session.ts'

/** Sessions that are stored, and ended ones whose ids stay invalid. The client with most loses the oldest. */
export const MAX_STORED = 1_024
export const MAX_ENDED = 4_096
/** Limits of one stored session. */
const MAX_URIS = 64
const MAX_URI_CHARS = 2_048
/** Sum of all stored sessions. Clients share it fairly, each with its last used ones first. */
export const MAX_SESSION_BYTES = 524_288
const MAX_FILE_BYTES = 2 * 1_048_576
/** The bridge refuses older sessions. */
export const LIFETIME_MS = 30 * 86_400_000
/** Changes within this time are written together. */
export const WRITE_MS = 1_000

const stored = z.strictObject({
  server: z.string(),
  id: z.string().max(64),
  client: z.string().max(64),
  level: z.string().max(32).optional(),
  subscriptions: z.array(z.string().max(MAX_URI_CHARS)).max(MAX_URIS),
  usedAtMs: z.number(),
})
type StoredSession = Readonly<z.infer<typeof stored>>

/** Id, time and client of an ended session. Older agents stored no client. */
const end = z.tuple([z.string().max(64), z.number(), z.string().max(64).default('')])

const content = z.strictObject({
  version: z.literal(1),
  sessions: z.array(stored).max(MAX_STORED),
  ended: z.array(end).max(MAX_ENDED),
})

export interface SessionFileDeps {
  readonly system: System
  /** Without it, nothing outlives the process. */
  readonly path: string | undefined
  readonly onEvent: (event: ExchangeEvent) => void
}

interface EndedSession {
  readonly id: string
  readonly atMs: number
  readonly client: string
}

/** The file of log levels and subscriptions of sessions, and of ended sessions. It outlives the agent. */
export class SessionFile {
  readonly #deps: SessionFileDeps
  /** By server and id; the least recently changed first. */
  readonly #sessions = new Map<string, StoredSession>()
  /** By id, the oldest first. */
  readonly #ended = new Map<string, EndedSession>()
  #isChanged = false
  #cancelWrite = () => {}
  /** Settles when the last write has ended. */
  #written: Promise<void> = Promise.resolve()

  constructor(deps: SessionFileDeps) {
    this.#deps = deps
  }

  /** Reads the file. One that cannot be used counts as empty, and is reported. Never rejects. */
  async load(): Promise<void> {
    const { path, system } = this.#deps
    if (path === undefined) return
    try {
      const text = await readPrivate(path, MAX_FILE_BYTES)
      if (text === undefined) return
      const { sessions, ended } = content.parse(parseJson(text)?.value)
      const sinceMs = system.nowMs() - LIFETIME_MS
      for (const session of sessions)
        if (session.usedAtMs > sinceMs) this.#sessions.set(keyOf(session), session)
      for (const [id, atMs, client] of ended) if (atMs > sinceMs) this.#ended.set(id, { id, atMs, client })
    } catch (error) {
      this.#report(error instanceof z.ZodError ? `${path} has an unknown form.` : String(error))
    }
  }

  hasEnded(id: string): boolean {
    return this.#ended.has(id)
  }

  /** Keeps the id of a client's session invalid. */
  end(id: string, client: string): void {
    this.#ended.set(id, { id, atMs: this.#deps.system.nowMs(), client })
    const excess = this.#ended.size > MAX_ENDED ? oldestOfMost(this.#ended.values()) : undefined
    if (excess !== undefined) this.#ended.delete(excess.id)
    for (const [key, session] of this.#sessions) if (session.id === id) this.#sessions.delete(key)
    this.#changed()
  }

  /** Forgets the sessions of a client. */
  revoke(client: string): void {
    const own = [...this.#sessions].filter(([, session]) => session.client === client)
    for (const [key] of own) this.#sessions.delete(key)
    if (own.length > 0) this.#changed()
  }

  /** Gives a session that begins what it had before. */
  restore(session: Session): void {
    const { serverName: server, id, client } = session.facts
    const found = this.#sessions.get(keyOf({ server, id }))
    if (found?.client !== client) return
    session.level = found.level
    for (const uri of found.subscriptions) session.subscriptions.add(uri)
  }

  /** Stores what the client of a session chose. */
  store({ facts, level, subscriptions, lastUsedMs }: Session): void {
    const key = keyOf({ server: facts.serverName, id: facts.id })
    const hadChoices = this.#sessions.delete(key)
    const hasChoices = level !== undefined || subscriptions.size > 0
    if (hasChoices) this.#sessions.set(key, storedOf(facts, level, subscriptions, lastUsedMs))
    const excess = this.#sessions.size > MAX_STORED ? oldestOfMost(this.#sessions.values()) : undefined
    if (excess !== undefined) this.#sessions.delete(keyOf(excess))
    if (hadChoices || hasChoices) this.#changed()
  }

  /** Resolves when all changes are written. */
  flush(): Promise<void> {
    this.#cancelWrite()
    this.#written = this.#written.then(() => this.#write())
    return this.#written
  }

  #changed(): void {
    if (this.#isChanged || this.#deps.path === undefined) return
    this.#isChanged = true
    this.#cancelWrite = this.#deps.system.schedule(WRITE_MS, () => void this.flush())
  }

  async #write(): Promise<void> {
    const { path } = this.#deps
    if (path === undefined || !this.#isChanged) return
    this.#isChanged = false
    try {
      await privateFolder(dirname(path))
      await writePrivate(path, this.#text())
    } catch (error) {
      this.#report(String(error))
    }
  }

  #text(): string {
    const kept = new Set<StoredSession>()
    let bytes = 0
    for (const { session, size } of byShare([...this.#sessions.values()].reverse())) {
      bytes += size
      if (bytes > MAX_SESSION_BYTES) break
      kept.add(session)
    }
    const sessions = [...this.#sessions.values()].filter((session) => kept.has(session))
    const ended = [...this.#ended.values()].map(({ id, atMs, client }) => [id, atMs, client])
    return `${JSON.stringify({ version: 1, sessions, ended })}\n`
  }

  #report(reason: string): void {
    this.#deps.onEvent({ type: 'session-file-unusable', reason })
  }
}

function storedOf(
  { serverName, id, client }: SessionFacts,
  level: string | undefined,
  subscriptions: ReadonlySet<string>,
  usedAtMs: number,
): StoredSession {
  const uris = [...subscriptions].filter((uri) => uri.length <= MAX_URI_CHARS).slice(-MAX_URIS)
  return {
    ...{ server: serverName, id, client, usedAtMs },
    ...(level !== undefined && { level }),
    subscriptions: uris,
  }
}

function keyOf({ server, id }: { readonly server: string; readonly id: string }): string {
  return JSON.stringify([server, id])
}

/** Sorts sessions by the sum of their client's sizes up to each, so that large ones take no room of other clients. */
function byShare(sessions: readonly StoredSession[]): readonly { session: StoredSession; size: number }[] {
  return [...Map.groupBy(sessions, ({ client }) => client).values()]
    .flatMap((own) => {
      let share = 0
      return own.map((session) => {
        const size = Buffer.byteLength(JSON.stringify(session))
        share += size
        return { session, size, share }
      })
    })
    .toSorted((one, other) => one.share - other.share)
}
