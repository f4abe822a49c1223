import type { ErrorCode } from '@bridgekeeper/protocol'
import type { Verdict } from '../gates/verdict.ts'
import type { Principal } from '../ports.ts'
import type { ProofExchange } from './agent-context.ts'
import type { ConnectionEvent } from './life.ts'

/** Answers `confirm`: whether the device that proved itself is the enrolled one. Never rejects. */
export async function confirmationOf(lookup: Promise<Verdict<void>>): Promise<ConnectionEvent> {
  try {
    const verdict = await lookup
    return verdict.allowed ? { type: 'confirmed' } : { type: 'denied', code: verdict.code }
  } catch {
    return { type: 'denied', code: 'internal_error' }
  }
}

/**
 * [PROOF.10] [PROOF.11] Looks up the facts of the device's next proof. Never rejects.
 * @param token a fresh one from the agent; without it, the renewal is due
 * @returns `undefined` if a due renewal must be retried later
 */
export async function renewalOf(
  device: ProofExchange,
  principal: Principal,
  challenge: string,
  token: string | undefined,
): Promise<ConnectionEvent | undefined> {
  const refused = (code: ErrorCode): ConnectionEvent =>
    token === undefined ? { type: 'denied', code } : { type: 'token-refused', code }
  try {
    const facts = await device.renewal(principal, token)
    return facts.allowed ? { type: 'renew', challenge, ...facts.value } : refused(facts.code)
  } catch {
    return token === undefined ? undefined : refused('internal_error')
  }
}
