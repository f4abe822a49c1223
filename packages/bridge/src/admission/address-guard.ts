import type { ClientAddress } from '../gates/request-facts.ts'
import type { Verdict } from '../gates/verdict.ts'
import { AddressFailures, type FailureLimit } from '../limiters/address-failures.ts'
import type { EndCheck, SecurityLog, System } from '../ports.ts'
import { AddressChecks } from './address-checks.ts'
import type { DurableBlocks } from './durable-blocks.ts'

/** Counts failures of each address, and blocks the address after too many; keeps blocks in the store. */
export class AddressGuard {
  readonly #failures: AddressFailures
  readonly #checks: AddressChecks
  readonly #blocks: DurableBlocks
  readonly #log: SecurityLog
  readonly #system: System

  constructor(blocks: DurableBlocks, limit: FailureLimit | undefined, log: SecurityLog, system: System) {
    this.#failures = new AddressFailures(blocks.list, limit)
    this.#checks = new AddressChecks(this.#failures)
    this.#blocks = blocks
    this.#log = log
    this.#system = system
  }

  /** Refuses a blocked address. */
  check(address: ClientAddress): Verdict<void> {
    return this.#failures.check(address, this.#nowMs())
  }

  /** [BLOCK.5] If the address is blocked, checks in the store whether it still is. */
  async recheck(address: ClientAddress): Promise<void> {
    if (this.check(address).allowed) return
    await this.#blocks.recheck({ kind: 'address', key: address.key })
  }

  /** [ADDR.8] Begins the check of a token, password, code or the like. */
  beginCheck(address: ClientAddress): Promise<Verdict<EndCheck>> {
    return this.#checks.begin(address, () => this.#nowMs())
  }

  /** Counts a wrong token, password, code or the like. */
  failed(address: ClientAddress): void {
    const nowMs = this.#nowMs()
    const blockMs = this.#failures.failed(address, nowMs)
    if (blockMs === undefined) return
    const { ip, key } = address
    const retryAfter = Math.ceil(blockMs / 1_000)
    this.#log.logSecurityEvent({ event: 'address_blocked', ip, retryAfter })
    this.#blocks.save({ kind: 'address', key, untilMs: nowMs + blockMs })
  }

  #nowMs(): number {
    return this.#system.monotonicMs()
  }
}
