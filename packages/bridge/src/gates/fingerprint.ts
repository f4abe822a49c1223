import { createHmac, timingSafeEqual } from 'node:crypto'
import { allow, deny, type Verdict } from './verdict.ts'

/** What happens when a login comes from elsewhere than before. */
export const FINGERPRINT_POLICIES = ['observe', 'challenge', 'block'] as const
export type FingerprintPolicy = (typeof FINGERPRINT_POLICIES)[number]

/** Longer ones are cut: the rest tells programs apart no better. */
const MAX_USER_AGENT_CHARS = 256

/**
 * Keyed, so that whoever reads it in a log cannot try out addresses until one fits.
 * @param key at least 32 bytes, known to the bridge alone
 * @returns 64 hex digits
 */
export function getConnectionFingerprint(addressKey: string, userAgent: string, key: Uint8Array): string {
  const program = userAgent.slice(0, MAX_USER_AGENT_CHARS)
  return createHmac('sha256', key).update(`${addressKey.length}:${addressKey}${program}`).digest('hex')
}

/** Whether both are of the same address and program. */
export function verifyFingerprint(current: string, earlier: string): boolean {
  const one = Buffer.from(current)
  const other = Buffer.from(earlier)
  return one.length === other.length && timingSafeEqual(one, other)
}

export type FingerprintVerdict = 'same' | 'changed' | 'unproven'

/**
 * Layer 3: compares with where this login was seen before. [FP.1] `observe` lets a change pass and
 * tells of it, [FP.2] `challenge` lets it pass once the challenge is answered, with one attempt
 * instead of three, [FP.3] `block` refuses it.
 *
 * Threat: a stolen token that is used elsewhere. It is a sign, not a proof: whoever shares the
 * address and copies the program's name passes.
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
