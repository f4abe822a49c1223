import { allow, denyFor, type Verdict } from '../gates/verdict.ts'
import { Allowance, LARGE_ALLOWANCE, MESSAGE_ALLOWANCE } from './allowance.ts'

/** Limit of open requests per user: being read, running, or not yet received by the caller. */
export const MAX_OPEN_REQUESTS = 256
/** Limit of requests per user that stay open until their caller leaves: streams and subscriptions. */
export const MAX_STANDING = 64
/** Bodies and unread answers of one user; beyond this, new requests are refused. */
export const MAX_HELD_BYTES = 32 * 1_048_576
/** Held bytes of one user beyond which an unread answer is cut off. */
export const MAX_UNREAD_BYTES = 64 * 1_048_576

/** Bodies over one message that one user may have open; they count apart from the other held bytes. */
export const MAX_LARGE_BYTES = 64 * 1_048_576
/** The same of all users. */
export const MAX_ALL_LARGE_BYTES = 256 * 1_048_576

const RETRY_MS = 1_000
/** Idle users are evicted when there are this many users more than twice the busy ones. */
const SPARE_USERS = 1_024
const ALLOWED = allow(undefined)
const TOO_MUCH = denyFor('too_many_requests', RETRY_MS)

/** Held by all users together. */
interface AllUsers {
  largeBytes: number
}

/**
 * [LOAD.1] Load that one user causes at `/mcp`. Threat: a user who sends without reading, or sends expensive
 * requests that are not tool calls. `RateLimiter` counts calls.
 */
export class UserLoad {
  readonly #messages = new Allowance(MESSAGE_ALLOWANCE)
  /** Bodies over one message, which cost time to read. */
  readonly #large = new Allowance(LARGE_ALLOWANCE)
  readonly #ofAll: AllUsers
  #openRequests = 0
  #standing = 0
  #heldBytes = 0
  #largeBytes = 0

  constructor(ofAll: AllUsers = { largeBytes: 0 }) {
    this.#ofAll = ofAll
  }

  /** Admits a request; `leave` ends an admitted one. @param nowMs monotonic */
  enter(nowMs: number): Verdict<void> {
    const waitMs = this.#messages.leftMs(1, nowMs)
    if (waitMs > 0) return denyFor('rate_limit_exceeded', waitMs)
    if (this.#openRequests >= MAX_OPEN_REQUESTS || this.#heldBytes >= MAX_HELD_BYTES) return TOO_MUCH
    this.#openRequests++
    return ALLOWED
  }

  /** Counts an admitted request as one that stays open. */
  stand(): Verdict<void> {
    if (this.#standing >= MAX_STANDING) return TOO_MUCH
    this.#standing++
    return ALLOWED
  }

  /** Counts the messages of a body before they are handled. @param nowMs monotonic */
  spend(bodyBytes: number, messages: number, nowMs: number): Verdict<void> {
    const waitMs = this.#messages.take(this.#messages.unitsOf(bodyBytes) + messages - 1, nowMs)
    return waitMs === 0 ? ALLOWED : denyFor('rate_limit_exceeded', waitMs)
  }

  /** Counts a request that was refused after its body was read. @param nowMs monotonic */
  charge(bodyBytes: number, nowMs: number): void {
    this.#messages.charge(this.#messages.unitsOf(bodyBytes), nowMs)
  }

  /** Ends an admitted request. @param heldBytes the bytes that it held @param standing how often `stand` counted it */
  leave(heldBytes: number, standing = 0): void {
    this.#openRequests--
    this.#standing -= standing
    this.#heldBytes -= heldBytes
  }

  /** Reserves bytes, or releases a negative number of them. @param maxBytes limit of the user's total */
  hold(sizeBytes: number, maxBytes: number): Verdict<void> {
    if (sizeBytes > 0 && this.#heldBytes + sizeBytes > maxBytes) return TOO_MUCH
    this.#heldBytes += sizeBytes
    return ALLOWED
  }

  /** [BIG.11] Reserves bytes of a body over one message. @param nowMs monotonic */
  holdLarge(sizeBytes: number, nowMs: number): Verdict<void> {
    const waitMs = this.#large.take(this.#large.unitsOf(sizeBytes), nowMs)
    if (waitMs > 0) return denyFor('rate_limit_exceeded', waitMs)
    if (this.#largeBytes + sizeBytes > MAX_LARGE_BYTES) return TOO_MUCH
    if (this.#ofAll.largeBytes + sizeBytes > MAX_ALL_LARGE_BYTES) return TOO_MUCH
    this.#addLarge(sizeBytes)
    return ALLOWED
  }

  freeLarge(sizeBytes: number): void {
    this.#addLarge(-sizeBytes)
  }

  #addLarge(sizeBytes: number): void {
    this.#largeBytes += sizeBytes
    this.#ofAll.largeBytes += sizeBytes
  }

  /** @param nowMs monotonic */
  isIdle(nowMs: number): boolean {
    return this.#openRequests === 0 && this.#messages.isFull(nowMs) && this.#large.isFull(nowMs)
  }
}

/** Loads of all users; idle ones are evicted. */
export class UserLoads {
  readonly #byUser = new Map<string, UserLoad>()
  readonly #ofAll: AllUsers = { largeBytes: 0 }
  #sweepAt = SPARE_USERS

  /** @param nowMs monotonic */
  of(userId: string, nowMs: number): UserLoad {
    const known = this.#byUser.get(userId)
    if (known !== undefined) return known
    if (this.#byUser.size >= this.#sweepAt) this.#sweep(nowMs)
    const load = new UserLoad(this.#ofAll)
    this.#byUser.set(userId, load)
    return load
  }

  /** Number of remembered users. */
  get size(): number {
    return this.#byUser.size
  }

  #sweep(nowMs: number): void {
    for (const [userId, load] of this.#byUser) if (load.isIdle(nowMs)) this.#byUser.delete(userId)
    this.#sweepAt = 2 * this.#byUser.size + SPARE_USERS
  }
}
