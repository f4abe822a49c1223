import type { ServerResponse } from 'node:http'
import type { RawJson } from '@bridgekeeper/protocol'
import type { AdmittedCaller } from '../admission/admission.ts'
import type { OpenItem } from '../admission/open-logins.ts'
import { allow, type Denied, deny, type Verdict } from '../gates/verdict.ts'
import { MAX_HELD_BYTES, MAX_UNREAD_BYTES, type UserLoad } from '../limiters/user-load.ts'
import type { SecurityLog } from '../ports.ts'
import type { CallerLoads } from './caller-loads.ts'
import { isSameId } from './message.ts'
import { sendRefusal } from './respond.ts'
import type { Watch } from './slow-callers.ts'

/** Something that an open request runs. */
interface Running {
  /** The JSON-RPC id as received, by which a notification may cancel it. */
  readonly id: RawJson | undefined
  readonly cancel: () => void
}

/** Requests opened so far. */
let opened = 0

/** A caller's request, from its admission until its answer is received or its login is revoked. */
export class OpenRequest implements OpenItem {
  /** Number of this request in order of arrival. */
  readonly order = ++opened
  readonly response: ServerResponse
  readonly caller: AdmittedCaller
  readonly #load: UserLoad
  readonly #loads: CallerLoads
  readonly #log: SecurityLog
  #heldBytes = 0
  /** The part of the held bytes that is an unread answer. */
  #unreadBytes = 0
  #largeBytes = 0
  #isOpen = false
  /** Streams and subscriptions of this request; a batch may have several. */
  #standing = 0
  #running: Running | undefined
  /** The others of a batch. */
  #more: Running[] | undefined
  #watch: Watch | undefined

  constructor(response: ServerResponse, caller: AdmittedCaller, loads: CallerLoads, log: SecurityLog) {
    this.response = response
    this.caller = caller
    this.#load = loads.of(caller)
    this.#loads = loads
    this.#log = log
  }

  /** @returns the refusal if its user has too much open or its login was revoked */
  open(): Denied | undefined {
    const overload = this.#refusal(this.#load.enter(this.#loads.nowMs()))
    if (overload !== undefined) return overload
    if (!this.caller.login.open(this)) {
      this.#load.leave(0)
      return deny('login_revoked')
    }
    this.#isOpen = true
    this.response.on('close', () => this.#end())
    return undefined
  }

  /**
   * Whether its login was revoked, so that nothing more may be sent. Reads the flag of the login, because a
   * revocation may end the agent's connection, and with it this request's call, before it calls `revoked`.
   */
  get hasEnded(): boolean {
    return this.caller.login.isRevoked
  }

  /** Whether nobody can receive an answer: its login was revoked, or its caller left. */
  get isGone(): boolean {
    return this.hasEnded || this.response.destroyed
  }

  /**
   * The request stays open until its caller leaves. [STREAM.7] A user has 64 of them at most.
   * @returns the refusal, if any
   */
  stand(): Denied | undefined {
    const standing = this.#load.stand()
    if (standing.allowed) this.#standing++
    return this.#refusal(standing)
  }

  /** Registers a cancellation, run if the caller leaves or loses access, and when the request ends. */
  onEnd(cancel: () => void): void {
    this.#add({ id: undefined, cancel })
  }

  /** Does the same for a call, which a notification may cancel too. */
  runs(id: RawJson, cancel: () => void): void {
    this.#add({ id, cancel })
  }

  #add(running: Running): void {
    if (this.#running === undefined) this.#running = running
    else if (this.#more === undefined) this.#more = [running]
    else this.#more.push(running)
  }

  /** Finds the function that cancels the call with this id; `undefined` if the request has none. */
  cancelOf(id: RawJson): (() => void) | undefined {
    const matches = (running: Running | undefined): running is Running =>
      running?.id !== undefined && isSameId(running.id, id)
    return matches(this.#running) ? this.#running.cancel : this.#more?.find(matches)?.cancel
  }

  /** Reserves memory until the answer is received. @returns the refusal, if any */
  hold(sizeBytes: number): Denied | undefined {
    return this.#refusal(this.#hold(sizeBytes, MAX_HELD_BYTES))
  }

  /** Releases memory that `hold` reserved, before the answer is received. */
  free(sizeBytes: number): void {
    this.#hold(-sizeBytes, MAX_HELD_BYTES)
  }

  /** Reserves memory for a body over one message. @returns the refusal, if any */
  holdLarge(sizeBytes: number): Denied | undefined {
    if (!this.#isOpen) return undefined
    const held = this.#load.holdLarge(sizeBytes, this.#loads.nowMs())
    if (held.allowed) this.#largeBytes += sizeBytes
    return this.#refusal(held)
  }

  /** Counts the messages of a body before they are handled. @returns the refusal, if any */
  spend(bodyBytes: number, messages = 1): Denied | undefined {
    return this.#refusal(this.#load.spend(bodyBytes, messages, this.#loads.nowMs()))
  }

  /** Counts a request that was refused after its body was read. */
  charge(bodyBytes: number): void {
    this.#load.charge(bodyBytes, this.#loads.nowMs())
  }

  /**
   * [LOAD.2] Call after the answer, or a part of it, was written. Reserves memory for its unread part, or cuts the
   * request off if that exceeds the limit.
   */
  sent(): void {
    const unreadBytes = this.response.writableLength
    if (unreadBytes === this.#unreadBytes) return
    const held = this.#hold(unreadBytes - this.#unreadBytes, MAX_UNREAD_BYTES)
    if (!held.allowed) return this.cutOff(unreadBytes)
    this.#unreadBytes = unreadBytes
    this.watch()
  }

  /** [LIVE.4] Watches the request, so that it is cut off if its caller does not read. */
  watch(): void {
    if (this.#isOpen) this.#watch ??= this.#loads.slowCallers.watch(this)
  }

  cutOff(unreadBytes: number): void {
    this.#loads.cut(this.caller, unreadBytes)
    this.response.destroy()
    this.response.req.socket.destroy()
  }

  /** [REVOKE.2] Cancels the calls, and refuses the request unless its answer has begun. */
  revoked(): void {
    this.#cancelAll()
    this.#log.afterWritten(() => {
      if (this.response.headersSent) this.response.destroy()
      else sendRefusal(this.response, deny('login_revoked'))
    })
  }

  #hold(sizeBytes: number, maxBytes: number): Verdict<void> {
    if (!this.#isOpen) return allow(undefined)
    const held = this.#load.hold(sizeBytes, maxBytes)
    if (held.allowed) this.#heldBytes += sizeBytes
    return held
  }

  /** Records a refusal. */
  #refusal(verdict: Verdict<void>): Denied | undefined {
    return verdict.allowed ? undefined : this.#loads.refused(this.caller, verdict)
  }

  #end(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.caller.login.close(this)
    this.#load.leave(this.#heldBytes, this.#standing)
    this.#load.freeLarge(this.#largeBytes)
    this.#watch?.stop()
    this.#cancelAll()
  }

  #cancelAll(): void {
    this.#running?.cancel()
    if (this.#more !== undefined) for (const { cancel } of this.#more) cancel()
  }
}
