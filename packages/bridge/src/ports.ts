import type { Scopes } from './gates/call-authority.ts'
import type { ClientAddress } from './gates/client-address.ts'
import type { FactsSource, RequestFacts } from './gates/request-facts.ts'
import type { Verdict } from './gates/verdict.ts'
import type { Revocation } from './ports/sessions.ts'
import type { SecurityEvent } from './security-log/events.ts'

/**
 * What the bridge needs from outside: interfaces only. Each says its atomicity and what happens when
 * it is down.
 */

/** Time and randomness. Never down. */
export interface System {
  /** Wall clock, milliseconds since the epoch; may jump. For token times only. */
  nowMs(): number
  /** Never goes back; for deadlines and windows. */
  monotonicMs(): number
  /** Runs once after the delay; the returned function cancels. Does not keep the process alive. */
  after(delayMs: number, run: () => void): () => void
  /** From a cryptographically secure source. */
  randomBytes(countBytes: number): Buffer
}

export interface User {
  readonly userId: string
  readonly email: string
  /** Tokens carry it; raising it ends all of the user's tokens. */
  readonly tokenVersion: number
  readonly createdAtMs: number
  /** A suspended user's tokens are refused until the user is active again. */
  readonly state: UserState
  /** `admin` may manage other users; without it, nobody but oneself. */
  readonly role?: UserRole | undefined
}

export type UserState = 'active' | 'suspended'
export type UserRole = 'admin' | 'user'

/**
 * Users. Every change is atomic: of two calls of `add` with one email, one gets the user and the other
 * `undefined`; of two that raise a token version, each raises it. A change gives the user as it is now, or
 * `undefined` where there is none.
 * When the store is down every method rejects, and whoever needs it refuses (fails closed).
 */
export interface UserStore {
  findById(userId: string): Promise<User | undefined>
  /** The case of ASCII letters does not matter. */
  findByEmail(email: string): Promise<User | undefined>
  add(user: User): Promise<User | undefined>
  setState(userId: string, state: UserState): Promise<User | undefined>
  /** Ends all tokens that the user has. */
  raiseTokenVersion(userId: string): Promise<User | undefined>
}

/** Whoever presented a valid token. */
export interface Principal {
  readonly userId: string
  /** The login behind the token; stable while it lasts. */
  readonly sessionId: string
  readonly expiresAtMs: number
  /** What the token allows; without it, everything. */
  readonly scopes?: Scopes
  /** The only resource that the token is for, as a URL (RFC 8707); without it, every one of the bridge's. */
  readonly resource?: string
  /** The enrolled device that the token was made for. */
  readonly deviceId?: string
  /** Thumbprint of the key that whoever uses the token must prove to have (RFC 9449 section 6.1). */
  readonly boundKeyId?: string
}

/** Who asks for a call, as limits and the log know it. */
export interface Caller {
  readonly userId: string
  readonly sessionId: string
  readonly scopes?: Scopes
  readonly ip?: string | undefined
}

/**
 * Turns a token into a principal. Never throws for a bad token: it denies. When what it depends on
 * is down it rejects, and the request is refused with `internal_error`.
 */
export interface Authenticator {
  /** A principal verified moments ago, without asking anyone; `undefined` when it must be verified. */
  recall(token: string): Principal | undefined
  /** @param request the request that bore the token, where there is one */
  authenticate(token: string, request?: RequestFacts): Promise<Verdict<Principal>>
  /** Nothing of what was revoked is recalled any more; to be called after a user, session or device changed. */
  forget?(revoked: Revocation): void
}

/**
 * What every request meets that comes without a token yet, such as one for a page: the same blocks, transport
 * and host as for agents and callers. The origin is for the page to look at: a browser may come from anywhere.
 */
export interface FrontDoor {
  /** @returns whose request it is; a promise if the address is blocked and the store is asked for a lift */
  enter(request: FactsSource): Verdict<ClientAddress> | Promise<Verdict<ClientAddress>>
  /**
   * To be called before a password, code or the like is checked. Waits until the address has fewer checks in flight
   * than failures left before its block. End the check in any case, after `failed` where it was wrong.
   */
  beginCheck(address: ClientAddress): Promise<Verdict<EndCheck>>
  /**
   * Counts a wrong password, code or the like: too many block the address at every door. Call it only for what a
   * user typed into your own form, never for a cookie or a URL, which another site can make a browser send.
   */
  failed(address: ClientAddress): void
}

/** Frees the place of a check that `beginCheck` allowed. To be called once. */
export type EndCheck = () => void

/**
 * Where security events go. Recording never throws and never waits. While what is recorded cannot be
 * written, `writable` is false and no call is taken (fails closed).
 */
export interface SecurityLog {
  /** @param more whether others are likely to follow within this turn of the event loop */
  logSecurityEvent(event: SecurityEvent, more?: boolean): void
  /** Runs once all that was recorded so far is written: at once, where it already is. */
  afterWritten(run: () => void): void
  readonly writable: boolean
}

/** What a block shuts out: an address, a user's calls, or one user's challenges from one address. */
export const BLOCK_KINDS = ['address', 'calls', 'challenge'] as const
export type BlockKind = (typeof BLOCK_KINDS)[number]

export interface Block {
  readonly kind: BlockKind
  readonly key: string
  /** On the clock of whoever keeps it: monotonic in a node, the wall clock in a store. */
  readonly untilMs: number
}

/**
 * Blocks that outlive a node; `untilMs` is on the wall clock. Each method is atomic; of two `put` of one
 * kind and key the longer counts, since a node may not yet have seen an operator's. What has run out may be
 * left out of `all`.
 */
export interface BlockStore {
  all(): Promise<readonly Block[]>
  /** Those of the named blocks that are there. */
  held(names: readonly Pick<Block, 'kind' | 'key'>[]): Promise<readonly Block[]>
  put(block: Block): Promise<void>
  remove(block: Pick<Block, 'kind' | 'key'>): Promise<boolean>
}

/** Where each login was last seen, as a fingerprint. Each method is atomic; the last `remember` counts. */
export interface FingerprintStore {
  last(sessionId: string): Promise<string | undefined>
  remember(sessionId: string, fingerprint: string, atMs: number): Promise<void>
}

/**
 * When users called, over a restart; times are on the wall clock. `save` replaces what was there for
 * each user it names. While the store is down, limits hold within the node.
 */
export interface CallTimesStore {
  load(sinceMs: number): Promise<Iterable<readonly [userId: string, calledAtMs: readonly number[]]>>
  save(entries: Iterable<readonly [userId: string, calledAtMs: readonly number[]]>): Promise<void>
  forget(userId: string): Promise<void>
}
