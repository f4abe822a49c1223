/** Ports of login sessions and revocations. Durable unless they say otherwise; every method is atomic and rejects while the store is down. */

export const SESSION_KINDS = ['browser', 'client', 'device', 'token'] as const

/**
 * What is behind a login: a browser's, an MCP client's grant, a device's, or a token that an operator issued.
 * Its id stays the same while tokens are renewed.
 */
export interface Session {
  readonly sessionId: string
  readonly userId: string
  readonly kind: (typeof SESSION_KINDS)[number]
  /** What a person calls it: the browser, the client's or the device's name. Written by a peer. */
  readonly label: string
  readonly clientId?: string | undefined
  readonly deviceId?: string | undefined
  readonly createdAtMs: number
  readonly seenAtMs: number
  /** When it ends by itself, whatever is renewed. */
  readonly expiresAtMs: number
}

/** Sessions that have not ended. One that ended is gone, and so it is found by nobody. */
export interface SessionStore {
  add(session: Session): Promise<void>
  find(sessionId: string): Promise<Session | undefined>
  ofUser(userId: string): Promise<readonly Session[]>
  /** Puts down that it was used; what is older than known is left. */
  seen(sessionId: string, atMs: number): Promise<void>
  /**
   * Ends it with all that lives by it: its refresh tokens and the records of the grant of its name.
   * @returns whether it was there
   */
  end(sessionId: string): Promise<boolean>
}

/** What is ended at once, wherever it is used. A client's grant is its session. */
export interface Revocation {
  readonly kind: 'user' | 'session' | 'device'
  readonly id: string
}

/**
 * Tells every node what is revoked, also what another process did. Whoever watches is told each once, in
 * order, within 300 ms; whoever begins to watch may be told of some from just before. While the store is down
 * nobody is told, and what is published rejects; afterwards nothing is missing.
 */
export interface Revocations {
  publish(revocation: Revocation): Promise<void>
  /** @returns ends the watch */
  watch(told: (revocation: Revocation) => void): () => void
  /**
   * How long ago, at most, something may have been revoked that whoever watches was not told: the age of the
   * last look, by a clock that never goes back. 0 where nothing is looked at. Beyond a bound nobody new is let in.
   */
  behindMs(): number
}
