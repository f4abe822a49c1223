import type { ServerResponse } from 'node:http'
import { type Denied, denyFor } from '../gates/verdict.ts'
import { Sampler } from '../limiters/sampler.ts'
import { MAX_ALL_LARGE_BYTES, type UserLoad, UserLoads } from '../limiters/user-load.ts'
import type { Caller, SecurityLog, System } from '../ports.ts'

const RETRY_MS = 1_000

type Known = Pick<Caller, 'userId' | 'ip'>

/** Load of all callers, and the log of those over their limit. */
export class CallerLoads {
  readonly slowCallers: SlowCallers
  readonly #users = new UserLoads()
  #largeBytes = 0
  readonly #sampler = new Sampler()
  readonly #log: SecurityLog
  readonly #system: System

  constructor(log: SecurityLog, system: System) {
    this.#log = log
    this.#system = system
    this.slowCallers = new SlowCallers(system)
  }

  of({ userId }: Known): UserLoad {
    return this.#users.of(userId, this.#system.monotonicMs())
  }

  /** A request begins. @returns why it may not */
  enter(caller: Known, load: UserLoad): Denied | undefined {
    const entered = load.enter(this.#system.monotonicMs())
    return entered.allowed ? undefined : this.refused(caller, entered)
  }

  /** Counts the messages of a body before they are handled. @returns why they may not be */
  spend(caller: Known, load: UserLoad, bodyBytes: number, messages: number): Denied | undefined {
    const units = load.messages.unitsOf(bodyBytes) + messages - 1
    const waitMs = load.messages.take(units, this.#system.monotonicMs())
    return waitMs === 0 ? undefined : this.refused(caller, denyFor('rate_limit_exceeded', waitMs))
  }

  /** [BIG.11] Reserves memory for a body over one message. @returns the refusal, if any */
  holdLarge(caller: Known, load: UserLoad, sizeBytes: number): Denied | undefined {
    const waitMs = load.large.take(load.large.unitsOf(sizeBytes), this.#system.monotonicMs())
    if (waitMs > 0) return this.refused(caller, denyFor('rate_limit_exceeded', waitMs))
    if (this.#largeBytes + sizeBytes > MAX_ALL_LARGE_BYTES || !load.holdLarge(sizeBytes))
      return this.refused(caller, denyFor('too_many_requests', RETRY_MS))
    this.#largeBytes += sizeBytes
    return undefined
  }

  freeLarge(load: UserLoad, sizeBytes: number): void {
    load.freeLarge(sizeBytes)
    this.#largeBytes -= sizeBytes
  }

  /** Counts a request that was refused after its body was read. */
  charge(load: UserLoad, bodyBytes: number): void {
    load.messages.charge(load.messages.unitsOf(bodyBytes), this.#system.monotonicMs())
  }

  /** Records a refusal. */
  refused(caller: Known, denied: Denied): Denied {
    const reason = denied.code
    const line = this.#lineOf(caller, reason)
    if (line !== undefined) this.#log.logSecurityEvent({ event: 'mcp_request_refused', ...line, reason })
    return denied
  }

  /** Records a caller that was cut off because it does not read. */
  cut(caller: Known, size: number): void {
    const line = this.#lineOf(caller, 'slow')
    if (line !== undefined) this.#log.logSecurityEvent({ event: 'mcp_slow_caller', ...line, size })
  }

  /** [SAMPLE.1] @returns the beginning of the line; `undefined` if the line is suppressed */
  #lineOf({ userId, ip }: Known, kind: string) {
    const sampled = this.#sampler.take(`${kind} ${userId}`, this.#system.monotonicMs())
    return sampled && { userId, ip, ...sampled }
  }
}

/** Time without reading after which a caller is disconnected. */
export const UNREAD_MS = 60_000
/** Interval between checks of unread answers. */
const LOOK_MS = 1_000

/** A request whose caller may read slowly. */
export interface WatchedRequest {
  readonly response: ServerResponse
  cutOff(unreadBytes: number): void
}

interface Unread {
  takenBytes: number
  sinceMs: number
}

/** [LIVE.4] Cuts off callers that do not read their answers. One timer watches all answers. */
export class SlowCallers {
  readonly #system: System
  readonly #unread = new Map<WatchedRequest, Unread>()
  #isLooking = false

  constructor(system: System) {
    this.#system = system
  }

  /** Watches a request until `forget`. */
  watch(request: WatchedRequest): void {
    if (this.#unread.has(request)) return
    this.#unread.set(request, {
      takenBytes: takenBytes(request.response),
      sinceMs: this.#system.monotonicMs(),
    })
    this.#lookLater()
  }

  forget(request: WatchedRequest): void {
    this.#unread.delete(request)
  }

  #lookLater(): void {
    if (this.#isLooking || this.#unread.size === 0) return
    this.#isLooking = true
    this.#system.after(LOOK_MS, () => {
      this.#isLooking = false
      for (const [request, unread] of this.#unread) this.#look(request, unread)
      this.#lookLater()
    })
  }

  #look(request: WatchedRequest, unread: Unread): void {
    const { response } = request
    const waitingBytes = response.writableLength
    const taken = takenBytes(response)
    const nowMs = this.#system.monotonicMs()
    // With pipelining, an answer behind another one has no socket yet, so its caller cannot read it.
    const isStuck = waitingBytes > 0 && taken === unread.takenBytes && response.socket !== null
    if (!isStuck) {
      unread.takenBytes = taken
      unread.sinceMs = nowMs
    } else if (nowMs - unread.sinceMs >= UNREAD_MS) {
      this.forget(request)
      request.cutOff(waitingBytes)
    }
  }
}

/** Bytes that the system has taken. They stand still while nothing is read, whatever is written meanwhile. */
function takenBytes({ socket }: ServerResponse): number {
  return socket === null ? 0 : socket.bytesWritten - socket.writableLength
}
