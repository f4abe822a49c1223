import { createHmac, timingSafeEqual } from 'node:crypto'
import { allow, deny, type Verdict } from './verdict.ts'

/** Reaction to a login from another address or program. */
export const FINGERPRINT_POLICIES = ['observe', 'challenge', 'block'] as const
export type FingerprintPolicy = (typeof FINGERPRINT_POLICIES)[number]

/** Longer user agents are cut; the rest would not tell programs apart. */
const MAX_USER_AGENT_CHARS = 256

/**
 * A keyed hash of address and program, so that a reader of the log cannot guess addresses.
 * @param key at least 32 bytes, known to the bridge alone
 * @returns 64 hex digits
 */
export function getConnectionFingerprint(addressKey: string, userAgent: string, key: Uint8Array): string {
  const program = userAgent.slice(0, MAX_USER_AGENT_CHARS)
  return createHmac('sha256', key).update(`${addressKey.length}:${addressKey}${program}`).digest('hex')
}

/** Whether both fingerprints are of the same address and program. */
export function verifyFingerprint(current: string, earlier: string): boolean {
  const one = Buffer.from(current)
  const other = Buffer.from(earlier)
  return one.length === other.length && timingSafeEqual(one, other)
}

export type FingerprintVerdict = 'same' | 'changed' | 'unproven'

/**
 * Layer 3: compares a login with its last place. [FP.1] `observe` allows a change and logs it, [FP.2]
 * `challenge` allows it after the challenge, with one attempt instead of three, [FP.3] `block` refuses it.
 *
 * Threat: a stolen token used elsewhere. A fingerprint is a hint, not a proof: an attacker behind the same
 * address who copies the program's name passes.
 */
export function fingerprintGate(
  current: string,
  earlier: string | undefined,
  policy: FingerprintPolicy,
): Verdict<FingerprintVerdict> {
  if (earlier === undefined || verifyFingerprint(current, earlier)) return allow('same')
  if (policy === 'block') return deny('fingerprint_changed')
  return allow(policy === 'challenge' ? 'unproven' : 'changed')
}
