import type { ServerResponse } from 'node:http'
import type { Denied } from '../gates/verdict.ts'
import { Sampler } from '../limiters/sampler.ts'
import { type UserLoad, UserLoads } from '../limiters/user-load.ts'
import type { Caller, SecurityLog, System } from '../ports.ts'

type Known = Pick<Caller, 'userId' | 'ip'>

/** Load of all callers, and the log of those over their limit. */
export class CallerLoads {
  readonly slowCallers: SlowCallers
  readonly #users = new UserLoads()
  readonly #sampler = new Sampler()
  readonly #log: SecurityLog
  readonly #system: System

  constructor(log: SecurityLog, system: System) {
    this.#log = log
    this.#system = system
    this.slowCallers = new SlowCallers(system)
  }

  of({ userId }: Known): UserLoad {
    return this.#users.of(userId, this.nowMs())
  }

  /** Monotonic. */
  nowMs(): number {
    return this.#system.monotonicMs()
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
    const sampled = this.#sampler.take(`${kind} ${userId}`, this.nowMs())
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
