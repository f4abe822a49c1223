import { Groups } from '../collections/groups.ts'
import { OpenList } from '../collections/open-list.ts'
import type { Revocation } from '../ports/sessions.ts'
import type { Principal } from '../ports.ts'

/** Limit of remembered revocations; the oldest are evicted. */
const MAX_REMEMBERED = 10_000
/** Idle logins that stay in the index, beside as many busy ones. */
const SPARE_LOGINS = 1_024

/** An open item that ends with its login: an agent's socket, a caller's request. */
export interface OpenItem {
  /** Its login was revoked: it must take and give nothing more. Called once, synchronously. */
  revoked(): void
}

/** A login in use, with its open items. A revoked one stays revoked; the next admission creates another. */
export class OpenLogin {
  readonly #principal: Principal
  readonly #logins: OpenLogins
  readonly #items = new OpenList<OpenItem>()
  #revoked = false
  /** Time at which it left the index because it was idle. */
  #unlistedAt: number | undefined

  constructor(principal: Principal, logins: OpenLogins) {
    this.#principal = principal
    this.#logins = logins
  }

  get userId(): string {
    return this.#principal.userId
  }

  get sessionId(): string {
    return this.#principal.sessionId
  }

  get deviceId(): string | undefined {
    return this.#principal.deviceId
  }

  /** Whether it was revoked. What was admitted before checks it again after each wait. */
  get isRevoked(): boolean {
    if (this.#unlistedAt !== undefined && !this.#revoked) this.#listAgain(this.#unlistedAt)
    return this.#revoked
  }

  get isIdle(): boolean {
    return this.#items.size === 0
  }

  /** @returns whether it is open now: not if the login was revoked */
  open(item: OpenItem): boolean {
    if (this.isRevoked) return false
    this.#items.add(item)
    return true
  }

  close(item: OpenItem): void {
    this.#items.remove(item)
  }

  /** Its open items. */
  get items(): readonly OpenItem[] {
    return this.#items.items
  }

  /** @returns what was open */
  revoke(): readonly OpenItem[] {
    this.#revoked = true
    return this.#items.clear()
  }

  unlist(at: number): void {
    this.#unlistedAt = at
  }

  #listAgain(unlistedAt: number): void {
    this.#unlistedAt = undefined
    if (this.#logins.isRevoked(this, unlistedAt)) this.#revoked = true
    else this.#logins.list(this)
  }
}

/**
 * [REVOKE.1] Logins in use, indexed by user, session and device, so that revoking is O(open items) and a call
 * checks one flag. Also remembers recent revocations, for requests in admission.
 */
export class OpenLogins {
  readonly #index: Readonly<Record<Revocation['kind'], Groups<OpenLogin>>> = {
    user: new Groups(),
    session: new Groups(),
    device: new Groups(),
  }
  readonly #ofPrincipal = new WeakMap<Principal, OpenLogin>()
  /** Time of the last revocation of each, oldest first. */
  readonly #revokedAt = new Map<string, number>()
  #now = 0
  #forgottenAt = -1
  #count = 0
  #sweepAt = SPARE_LOGINS

  /** The logical time of an admission's start. It counts revocations, so none falls between two values. */
  get now(): number {
    return this.#now
  }

  /** Logins in the index. */
  get count(): number {
    return this.#count
  }

  /** The login of a principal who was verified before; `undefined` if it was revoked since. */
  recalled(principal: Principal): OpenLogin | undefined {
    const known = this.#ofPrincipal.get(principal)
    if (known === undefined) return this.enter(principal, this.#now)
    return known.isRevoked ? undefined : known
  }

  /**
   * Returns the login of a principal whose verification began at `since`; `undefined` if it was revoked in
   * between. A revoked session or device stays revoked, as its id is never used again.
   */
  enter(principal: Principal, since: number): OpenLogin | undefined {
    if (this.isRevoked(principal, since)) return undefined
    const { userId, sessionId, deviceId } = principal
    const known = this.#index.session
      .get(sessionId)
      .find((login) => login.userId === userId && login.deviceId === deviceId)
    const login = known ?? new OpenLogin(principal, this)
    if (known === undefined) this.list(login)
    this.#ofPrincipal.set(principal, login)
    return login
  }

  /** [REVOKE.3] Whether it was revoked since then; true if that is too long ago to know. */
  isRevoked({ userId, sessionId, deviceId }: OpenLogin | Principal, since: number): boolean {
    if (since < this.#forgottenAt) return true
    return (
      (this.#revokedAt.get(keyOf('user', userId)) ?? 0) > since ||
      this.#revokedAt.has(keyOf('session', sessionId)) ||
      (deviceId !== undefined && this.#revokedAt.has(keyOf('device', deviceId)))
    )
  }

  /** @returns everything that was open of it; the caller must close it synchronously */
  revoke({ kind, id }: Revocation): readonly OpenItem[] {
    this.#remember(keyOf(kind, id))
    return this.#index[kind].get(id).flatMap((login) => {
      this.#takeOut(login)
      return login.revoke()
    })
  }

  list(login: OpenLogin): void {
    if (this.#count >= this.#sweepAt) this.#sweep()
    this.#count++
    this.#index.user.add(login.userId, login)
    this.#index.session.add(login.sessionId, login)
    if (login.deviceId !== undefined) this.#index.device.add(login.deviceId, login)
  }

  #remember(key: string): void {
    this.#now++
    this.#revokedAt.delete(key)
    this.#revokedAt.set(key, this.#now)
    const [oldest] = this.#revokedAt
    if (this.#revokedAt.size <= MAX_REMEMBERED || oldest === undefined) return
    this.#revokedAt.delete(oldest[0])
    this.#forgottenAt = oldest[1]
  }

  /** Removes logins without open items, all at once from time to time, not at the end of each request. */
  #sweep(): void {
    for (const login of this.#index.session.values()) {
      if (!login.isIdle) continue
      this.#takeOut(login)
      login.unlist(this.#now)
    }
    this.#sweepAt = 2 * this.#count + SPARE_LOGINS
  }

  #takeOut(login: OpenLogin): void {
    this.#count--
    this.#index.user.remove(login.userId, login)
    this.#index.session.remove(login.sessionId, login)
    if (login.deviceId !== undefined) this.#index.device.remove(login.deviceId, login)
  }
}

function keyOf(kind: Revocation['kind'], id: string): string {
  return `${kind} ${id}`
}
