import type { Denied } from '../gates/verdict.ts'
import { Sampler } from '../limiters/sampler.ts'
import { type UserLoad, UserLoads } from '../limiters/user-load.ts'
import type { Caller, SecurityLog, System } from '../ports.ts'
import { SlowCallers } from './slow-callers.ts'

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
