import { allow, type SecurityLog, type System, type Verdict } from '@bridgekeeper/bridge'
import {
  type ClientAddress,
  denyFor,
  type EndCheck,
  type FrontDoor,
  Sampler,
  SlidingWindow,
} from '@bridgekeeper/bridge/parts'

const MINUTE_MS = 60_000

/** Wrong attempts at one account: from one address, and from anywhere. */
export const ATTEMPTS = {
  password: {
    here: { max: 5, windowMs: 15 * MINUTE_MS },
    anywhere: { max: 50, windowMs: 60 * MINUTE_MS, maxKeys: 20_000 },
  },
  code: {
    here: { max: 5, windowMs: 15 * MINUTE_MS },
    anywhere: { max: 10, windowMs: 60 * MINUTE_MS, maxKeys: 20_000 },
  },
} as const

/** Successful logins of one user from one address. */
export const LOGINS = { max: 100, windowMs: 15 * MINUTE_MS, maxKeys: 20_000 }

/** New users from the provider per address. */
export const NEW_USERS = { max: 100, windowMs: 60 * MINUTE_MS, maxKeys: 20_000 }

/** Reason of a failed login, for the log only, never shown to the visitor. */
export type LoginFailure =
  | 'user_unknown'
  | 'user_suspended'
  | 'password_wrong'
  | 'code_wrong'
  | 'passkey_wrong'
  | 'provider_refused'
  | 'provider_user_unknown'

/** Wrong guesses. The others gave what is right, or what a page can make a browser send. */
const GUESSES: ReadonlySet<LoginFailure> = new Set([
  'user_unknown',
  'password_wrong',
  'code_wrong',
  'passkey_wrong',
])

/** Subject of an attempt: the account's email for passwords, the user's id for codes. */
export interface Attempt {
  readonly kind: 'password' | 'code'
  readonly account: string
  readonly userId?: string | undefined
}

/**
 * [LIMIT.1] [LIMIT.2] [LIMIT.3] Limits attempts to log in. An attempt is counted before it is checked, so
 * that parallel attempts count like sequential ones. The right password gives the attempts of its address
 * back.
 *
 * The limit of an account over all addresses lets a stranger block password logins there, for an hour at
 * most. Passkeys, a provider's login and open sessions stay usable.
 */
export class LoginLimits {
  readonly #door: FrontDoor
  readonly #log: Pick<SecurityLog, 'logSecurityEvent'>
  readonly #system: System
  readonly #sampler = new Sampler()
  readonly #windows = { password: windowsOf('password'), code: windowsOf('code') }
  readonly #logins = new SlidingWindow(LOGINS)

  readonly #newUsers = new SlidingWindow(NEW_USERS)

  constructor(door: FrontDoor, log: Pick<SecurityLog, 'logSecurityEvent'>, system: System) {
    this.#door = door
    this.#log = log
    this.#system = system
  }

  /**
   * Counts an attempt once the address may check another, or refuses it unchecked.
   * @returns ends the attempt; always call it
   */
  async begin(attempt: Attempt, address: ClientAddress): Promise<Verdict<EndCheck>> {
    const begun = await this.#door.beginCheck(address)
    if (!begun.allowed) return begun
    const taken = this.#take(attempt, address)
    if (taken.allowed) return begun
    begun.value()
    return taken
  }

  #take(attempt: Attempt, address: ClientAddress): Verdict<void> {
    const { here, anywhere } = this.#windows[attempt.kind]
    const nowMs = this.#system.monotonicMs()
    const keyHere = keyOf(attempt, address)
    const leftMs = Math.max(here.leftMs(keyHere, nowMs), anywhere.leftMs(attempt.account, nowMs))
    if (leftMs <= 0) {
      here.take(keyHere, nowMs)
      anywhere.take(attempt.account, nowMs)
      return allow(undefined)
    }
    const denied = denyFor('login_limited', leftMs)
    this.#record(attempt.userId, address, { limit: attempt.kind, retryAfter: denied.retryAfterSeconds })
    return denied
  }

  /** Clears earlier failures of this account and address after a success; this attempt is not counted. */
  passed(attempt: Attempt, address: ClientAddress): void {
    const { here, anywhere } = this.#windows[attempt.kind]
    here.forget(keyOf(attempt, address))
    anywhere.giveBack(attempt.account)
  }

  /** [LIMIT.5] Counts a new login: each adds rows to tables and lines to the log. */
  login(userId: string, address: ClientAddress): Verdict<void> {
    const nowMs = this.#system.monotonicMs()
    const account = `${address.key} ${userId}`
    if (this.#logins.take(account, nowMs)) return allow(undefined)
    const denied = denyFor('login_limited', this.#logins.leftMs(account, nowMs))
    this.#record(userId, address, { limit: 'login', retryAfter: denied.retryAfterSeconds })
    return denied
  }

  /** [LIMIT.6] Whether this address may create another user. A proxy stands for many addresses. */
  newUser({ key, isProxy }: ClientAddress): Verdict<void> {
    const nowMs = this.#system.monotonicMs()
    const isWithin = isProxy || this.#newUsers.take(key, nowMs)
    return isWithin ? allow(undefined) : denyFor('login_limited', this.#newUsers.leftMs(key, nowMs))
  }

  /** [LIMIT.4] [ADDR.7] Records a failed login. A wrong guess counts against its address, as at every other door. */
  failed(reason: LoginFailure, address: ClientAddress, userId?: string): void {
    const counted = GUESSES.has(reason) && !address.isProxy
    if (counted) this.#door.failed(address)
    const sampled = this.#sample(reason, address)
    if (sampled === undefined) return
    this.#log.logSecurityEvent({
      event: 'login_failed',
      userId,
      ip: address.ip,
      reason,
      ...(counted && { counted }),
      ...sampled,
    })
  }

  #record(
    userId: string | undefined,
    address: ClientAddress,
    { limit, retryAfter }: { readonly limit: string; readonly retryAfter: number | undefined },
  ): void {
    const sampled = this.#sample('limited', address)
    if (sampled === undefined) return
    this.#log.logSecurityEvent({
      event: 'login_limited',
      userId,
      ip: address.ip,
      limit,
      retryAfter,
      ...sampled,
    })
  }

  #sample(kind: string, { key }: ClientAddress) {
    return this.#sampler.take(`${kind} ${key}`, this.#system.monotonicMs())
  }
}

function keyOf({ account }: Attempt, { key }: ClientAddress): string {
  return `${key} ${account}`
}

function windowsOf(kind: Attempt['kind']) {
  const { here, anywhere } = ATTEMPTS[kind]
  return { here: new SlidingWindow(here), anywhere: new SlidingWindow(anywhere) }
}
