/**
 * Ports of login sessions and revocations. Durable unless noted otherwise; every method is atomic and rejects
 * if the store is unavailable.
 */

/**
 * A login session: of a browser, an MCP client's grant, a device, or a token that an operator issued. Its id
 * stays the same while tokens are renewed.
 */
export type Session = LoginSession | TokenSession

export interface LoginSession extends SessionFacts {
  readonly kind: 'browser' | 'client' | 'device'
}

/** Session of an issued token. */
export interface TokenSession extends SessionFacts {
  readonly kind: 'token'
  readonly scopes: readonly string[]
}

interface SessionFacts {
  readonly sessionId: string
  readonly userId: string
  /** Name for people: the browser, the client or the device. Written by a peer. */
  readonly label: string
  readonly clientId?: string | undefined
  readonly deviceId?: string | undefined
  readonly createdAtMs: number
  readonly seenAtMs: number
  /** Fixed end, which no renewal moves. */
  readonly expiresAtMs: number
}

/** Open login sessions. An ended one is deleted. */
export interface SessionStore {
  add(session: Session): Promise<void>
  find(sessionId: string): Promise<Session | undefined>
  ofUser(userId: string): Promise<readonly Session[]>
  /** Records the last use. An older time than the stored one is ignored. */
  seen(sessionId: string, atMs: number): Promise<void>
  /**
   * Ends a session with its refresh tokens and its OAuth grant. A store that several processes share publishes the
   * revocation in the same transaction, so that a crash loses neither.
   * @returns whether it existed; if not, nothing is published
   */
  end(sessionId: string): Promise<boolean>
}

/** Everything of a user, session or device that must end at once. A client's grant is its session. */
export interface Revocation {
  readonly kind: 'user' | 'session' | 'device'
  readonly id: string
}

/**
 * Publishes revocations to every node and process. A watcher gets each one once, in order, within 300 ms; a
 * new watcher may also get some from just before. While the store is down nothing arrives and `publish`
 * rejects; afterwards nothing is missing.
 */
export interface Revocations {
  publish(revocation: Revocation): Promise<void>
  /** @returns stops watching */
  watch(listener: (revocation: Revocation) => void): () => void
  /**
   * Upper bound, in milliseconds, for how long a revocation may have gone unseen: the age of the last poll,
   * on a monotonic clock. 0 if the store pushes. Beyond a limit the bridge admits nobody.
   */
  behindMs(): number
}
