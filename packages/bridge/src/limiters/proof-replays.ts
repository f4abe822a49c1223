import { hash } from 'node:crypto'

const MAX_PROOFS = 100_000
export const MAX_PROOFS_OF_USER = 10_000

/**
 * [DPOP.4] Used proofs, until they are too old to be used again. Bounded per user and in total: when full it
 * refuses new proofs, because forgetting one would allow its replay.
 */
export class ProofReplays {
  /** In order of arrival, which is also the order of expiry. */
  readonly #used = new Map<string, { readonly userId: string; readonly untilMs: number }>()
  readonly #countOf = new Map<string, number>()

  /** Records a use. @returns whether it is the first */
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
