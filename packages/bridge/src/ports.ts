import type { Scopes } from './gates/call-authority.ts'
import type { ClientAddress, FactsSource, RequestFacts } from './gates/request-facts.ts'
import type { Verdict } from './gates/verdict.ts'
import type { Revocation } from './ports/sessions.ts'
import type { SecurityEvent } from './security-log/events.ts'

/**
 * Interfaces of everything the bridge needs from outside. Each states its atomicity and its behaviour during
 * an outage.
 */

/** Time and randomness. Never down. */
export interface System {
  /** Wall clock, milliseconds since the epoch; may jump. For token times only. */
  nowMs(): number
  /** Monotonic; for deadlines and windows. */
  monotonicMs(): number
  /** Runs once after the delay; the returned function cancels. Does not keep the process alive. */
  after(delayMs: number, run: () => void): () => void
  /** From a cryptographically secure source. */
  randomBytes(countBytes: number): Buffer
}

export interface User {
  readonly userId: string
  readonly email: string
  /** Part of every token; raising it invalidates all of the user's tokens. */
  readonly tokenVersion: number
  readonly createdAtMs: number
  /** A suspended user's tokens are refused until the user is active again. */
  readonly state: UserState
  /** `admin` may manage other users; by default a user manages only their own account. */
  readonly role?: UserRole | undefined
}

export type UserState = 'active' | 'suspended'
export type UserRole = 'admin' | 'user'

/**
 * Users. Every change is atomic: of two `add` with one email, one succeeds; of two that raise a token
 * version, each raises it. A change returns the new user, or `undefined` for an unknown id. While the store is
 * down every method rejects, and the caller refuses (fails closed).
 */
export interface UserStore {
  findById(userId: string): Promise<User | undefined>
  /** Ignores the case of ASCII letters. */
  findByEmail(email: string): Promise<User | undefined>
  add(user: User): Promise<User | undefined>
  setState(userId: string, state: UserState): Promise<User | undefined>
  /** Invalidates all of the user's tokens. */
  raiseTokenVersion(userId: string): Promise<User | undefined>
}

/** The identity behind a valid token. */
export interface Principal {
  readonly userId: string
  /** The login session behind the token. */
  readonly sessionId: string
  readonly expiresAtMs: number
  /** Scopes of the token; `undefined` means everything. */
  readonly scopes?: Scopes
  /** The only resource that the token is for, as a URL (RFC 8707); `undefined` means all of the bridge's. */
  readonly resource?: string
  /** The enrolled device of the token. */
  readonly deviceId?: string
  /** Thumbprint of the key that the token is bound to (RFC 9449 section 6.1). */
  readonly boundKeyId?: string
}

/** The caller as limits and the log know it. */
export interface Caller {
  readonly userId: string
  readonly sessionId: string
  readonly scopes?: Scopes
  readonly ip?: string | undefined
}

/**
 * Turns a token into a principal. Denies a bad token and never throws for it. Rejects while a dependency is
 * down; the request is then refused with `internal_error`.
 */
export interface Authenticator {
  /** A recently verified principal from the cache; `undefined` if it must be verified. */
  recall(token: string): Principal | undefined
  /** @param request the request that carried the token, if any */
  authenticate(token: string, request?: RequestFacts): Promise<Verdict<Principal>>
  /** Invalidates cached principals after a user, session or device changed. */
  forget?(revoked: Revocation): void
}

/**
 * Checks of requests without a token yet, such as those for pages: blocks, transport and host, as for agents
 * and callers. The page checks the origin itself.
 */
export interface FrontDoor {
  /**
   * @returns the client's address; a promise if the address is blocked and the store is checked for a lift
   */
  enter(request: FactsSource): Verdict<ClientAddress> | Promise<Verdict<ClientAddress>>
  /**
   * Call before checking a password, code or the like. Waits until the address has fewer checks in flight
   * than failures left. Always end the check, after `failed` if it was wrong.
   */
  beginCheck(address: ClientAddress): Promise<Verdict<EndCheck>>
  /**
   * Counts a wrong password, code or the like; too many block the address everywhere. Call it only for input
   * that a user typed into your own form, never for a cookie or URL, which another site can make a browser
   * send.
   */
  failed(address: ClientAddress): void
}

/** Ends a check that `beginCheck` allowed. Call once. */
export type EndCheck = () => void

/**
 * Receives security events. Recording never throws and never waits. While events cannot be written,
 * `writable` is false and no call is accepted (fails closed).
 */
export interface SecurityLog {
  /** @param more whether more events are likely within this turn of the event loop */
  logSecurityEvent(event: SecurityEvent, more?: boolean): void
  /** Runs once everything recorded so far is written; immediately if it already is. */
  afterWritten(run: () => void): void
  readonly writable: boolean
}

/** Kinds of blocks: an address, a user's calls, or one user's challenges from one address. */
export const BLOCK_KINDS = ['address', 'calls', 'challenge'] as const
export type BlockKind = (typeof BLOCK_KINDS)[number]

export interface Block {
  readonly kind: BlockKind
  readonly key: string
  /** Monotonic in a node, wall clock in a store. */
  readonly untilMs: number
}

export type BlockName = Pick<Block, 'kind' | 'key'>

/**
 * Durable blocks; `untilMs` is on the wall clock. Each method is atomic. Of two `put` for one kind and key
 * the longer block wins, since a node may not yet have seen an operator's. `all` may omit expired blocks.
 */
export interface BlockStore {
  all(): Promise<readonly Block[]>
  /** The named blocks that exist. */
  held(names: readonly BlockName[]): Promise<readonly Block[]>
  put(block: Block): Promise<void>
  remove(block: BlockName): Promise<boolean>
}

/** Last fingerprint of each login session. Each method is atomic; the last `remember` wins. */
export interface FingerprintStore {
  last(sessionId: string): Promise<string | undefined>
  remember(sessionId: string, fingerprint: string, atMs: number): Promise<void>
}

/**
 * Times of calls per user, kept over a restart, on the wall clock. `save` replaces the stored times of each
 * named user. While the store is down, limits hold within the node.
 */
export interface CallTimesStore {
  load(sinceMs: number): Promise<Iterable<readonly [userId: string, calledAtMs: readonly number[]]>>
  save(entries: Iterable<readonly [userId: string, calledAtMs: readonly number[]]>): Promise<void>
  forget(userId: string): Promise<void>
}
