import { hash } from 'node:crypto'

const MAX_PROOFS = 100_000
export const MAX_PROOFS_OF_USER = 10_000

/**
 * [DPOP.4] Proofs that were used, until they are too old to be used again. Bounded for each user and in all: over
 * the bound a proof is refused rather than one forgotten, which could then be replayed.
 */
export class ProofReplays {
  /** In the order in which they came, which with one lifetime for all is that in which they go. */
  readonly #used = new Map<string, { readonly userId: string; readonly untilMs: number }>()
  readonly #countOf = new Map<string, number>()

  /** @returns whether it was not used before; it is from now on */
  take(userId: string, keyId: string, proofId: string, nowMs: number, keepMs: number): boolean {
    this.#forgetOld(nowMs)
    const proof = hash('sha256', `${keyId} ${proofId}`, 'base64url')
    const count = this.#countOf.get(userId) ?? 0
    if (this.#used.has(proof) || count >= MAX_PROOFS_OF_USER || this.#used.size >= MAX_PROOFS) return false
    this.#used.set(proof, { userId, untilMs: nowMs + keepMs })
    this.#countOf.set(userId, count + 1)
    return true
  }

  #forgetOld(nowMs: number): void {
    for (const [proof, { userId, untilMs }] of this.#used) {
      if (untilMs > nowMs) return
      this.#used.delete(proof)
      const left = (this.#countOf.get(userId) as number) - 1
      if (left === 0) this.#countOf.delete(userId)
      else this.#countOf.set(userId, left)
    }
  }
}
