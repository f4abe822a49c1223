import type { ClientAddress } from '../gates/request-facts.ts'
import { allow, denyFor, type Verdict } from '../gates/verdict.ts'
import type { AddressFailures } from '../limiters/address-failures.ts'
import type { EndCheck } from '../ports.ts'

/** Limit of checks of one address that wait. */
export const MAX_WAITING = 512
const RETRY_MS = 1_000

interface Checks {
  running: number
  readonly waiting: (() => void)[]
}

/**
 * [ADDR.8] Bounds the concurrent checks of credentials per address to the failures that it has left before
 * its block. Concurrent guesses therefore gain nothing over sequential ones. Others wait, except those behind
 * a trusted proxy, which stands for many clients.
 */
export class AddressChecks {
  readonly #failures: AddressFailures
  readonly #byAddress = new Map<string, Checks>()

  constructor(failures: AddressFailures) {
    this.#failures = failures
  }

  /** Waits until a check may begin. @returns ends the check; call it after counting a failure */
  async begin(address: ClientAddress, nowMs: () => number): Promise<Verdict<EndCheck>> {
    if (address.isProxy) return allow(() => {})
    const checks = this.#byAddress.get(address.key) ?? { running: 0, waiting: [] }
    if (checks.waiting.length >= MAX_WAITING) return denyFor('handshake_rate_exceeded', RETRY_MS)
    this.#byAddress.set(address.key, checks)
    if (checks.running < this.#failures.left(address, nowMs())) checks.running++
    else await new Promise<void>((resolve) => checks.waiting.push(resolve))
    const end = (): void => this.#end(address, checks, nowMs())
    // The address may have been blocked in between.
    const unblocked = this.#failures.check(address, nowMs())
    if (unblocked.allowed) return allow(end)
    end()
    return unblocked
  }

  /** Starts the checks that have waited longest. */
  #end(address: ClientAddress, checks: Checks, nowMs: number): void {
    checks.running--
    const free = this.#failures.left(address, nowMs) - checks.running
    for (const next of checks.waiting.splice(0, Math.max(0, free))) {
      checks.running++
      next()
    }
    if (checks.running === 0) this.#byAddress.delete(address.key)
  }
}
