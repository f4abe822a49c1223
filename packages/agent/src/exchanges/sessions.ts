import type { ErrorCode } from '@bridgekeeper/protocol'
import { oldestOfMost } from '../fair-share.ts'
import type { System } from '../system.ts'
import { failedEnd, type Outlet } from './outlet.ts'
import { Session, type SessionFacts } from './session.ts'
import type { SessionFile } from './session-file.ts'
import { StreamBudget } from './stream-budget.ts'

export const MAX_SESSIONS = 4_096
/** Bytes that the streams of all sessions keep together. */
export const KEPT_BYTES = 64 * 1_048_576

/** Why a session cannot be used. */
export type SessionError = Extract<ErrorCode, 'session_unknown' | 'too_many_calls'>

/** The MCP sessions of this machine. One session of a client has a part for each local server. */
export class Sessions {
  readonly #system: System
  readonly #outlet: Outlet
  readonly #onGone: (session: Session) => void
  readonly #budget = new StreamBudget(KEPT_BYTES)
  /** By id and server; the least recently used first. */
  readonly #sessions = new Map<string, Session>()
  readonly #file: SessionFile

  /** The session of each exchange that read a stream. */
  readonly #index = new Map<string, Session>()

  /** @param onGone called for each session that is over or forgotten */
  constructor(system: System, outlet: Outlet, file: SessionFile, onGone: (session: Session) => void) {
    this.#system = system
    this.#file = file
    this.#outlet = outlet
    this.#onGone = onGone
  }

  /** The session of an exchange that read one of its streams. */
  ofExchange(exchangeId: string): Session | undefined {
    return this.#index.get(exchangeId)
  }

  /** Finds the session, or creates it from what the bridge knows. @returns the error if it is not the client's */
  open(facts: SessionFacts): Session | SessionError {
    if (this.#file.hasEnded(facts.id)) return 'session_unknown'
    const key = keyOf(facts)
    const found = this.#sessions.get(key)
    if (found !== undefined && found.facts.client !== facts.client) return 'session_unknown'
    if (found === undefined && !this.#makeRoom()) return 'too_many_calls'
    const deps = { outlet: this.#outlet, budget: this.#budget, index: this.#index }
    const session = found ?? new Session(facts, deps, this.#system.nowMs())
    if (found === undefined) this.#file.restore(session)
    session.lastUsedMs = this.#system.nowMs()
    this.#sessions.delete(key)
    this.#sessions.set(key, session)
    return session
  }

  /** Forgets a session that did not begin after all. */
  discard(session: Session): void {
    this.#remove(session)
  }

  /** Ends a session at every server. @returns whether it was the client's */
  end(id: string, client: string): boolean {
    const parts = [...this.#sessions.values()].filter(({ facts }) => facts.id === id)
    if (this.#file.hasEnded(id) || parts.some(({ facts }) => facts.client !== client)) return false
    this.#file.end(id, client)
    for (const session of parts) this.#remove(session)
    return true
  }

  /** Ends the sessions of a client whose login was revoked. The bridge refuses their ids from now on. */
  revoke(client: string): void {
    this.#file.revoke(client)
    for (const session of [...this.#sessions.values()])
      if (session.facts.client === client) this.#remove(session)
  }

  /** The sessions with a server. */
  of(serverName: string): readonly Session[] {
    return [...this.#sessions.values()].filter(({ facts }) => facts.serverName === serverName)
  }

  /** Closes the sessions with a server that is removed. */
  closeOf(serverName: string): void {
    for (const session of this.of(serverName)) this.#remove(session, 'server_not_found')
  }

  /** The connection has ended, and with it all readers. */
  detachAll(): void {
    for (const session of this.#sessions.values()) session.detachAll()
  }

  /** Makes room for one more. @returns whether there is some */
  #makeRoom(): boolean {
    if (this.#sessions.size < MAX_SESSIONS) return true
    const idle = [...this.#sessions.values()].filter(({ isBusy }) => !isBusy)
    const excess = oldestOfMost(idle.map((session) => ({ session, client: session.facts.client })))
    if (excess !== undefined) this.#remove(excess.session)
    return excess !== undefined
  }

  #remove(session: Session, code: ErrorCode = 'session_unknown'): void {
    this.#sessions.delete(keyOf(session.facts))
    this.#onGone(session)
    session.close(failedEnd(code))
  }
}

function keyOf({ serverName, id }: SessionFacts): string {
  return JSON.stringify([serverName, id])
}
