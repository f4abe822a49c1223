import type { ProtocolVersion } from '@bridgekeeper/protocol'
import type { Principal } from '../ports.ts'
import { allow, deny, type Verdict } from './verdict.ts'

export interface ProofPolicy {
  readonly production: boolean
  /** Whether the operator admits agents without a device key in production too. */
  readonly allowEcho: boolean
}

/** Kind of answer to a challenge: a signature by a device's key, or the echo, which holds no secret. */
export type ChallengeKind = 'proof' | 'echo'

/**
 * Layer 4: whether this login must prove a device's key.
 *
 * Threat: the thief of a token pretends to be an older agent, or removes v2 from the offer. Rules: [PROOF.6]
 * a device's token needs its proof; [PROOF.7] a user who has or ever had a device is never admitted by the
 * echo; [PROOF.8] in production nobody is, unless the operator allows it.
 * @param hasEnrolled whether the user has or ever had a device
 */
export function proofPolicyGate(
  { deviceId }: Pick<Principal, 'deviceId'>,
  version: ProtocolVersion,
  hasEnrolled: boolean,
  { production, allowEcho }: ProofPolicy,
): Verdict<ChallengeKind> {
  if (deviceId !== undefined) return version === 'v2' ? allow('proof') : deny('proof_required')
  if (hasEnrolled || (production && !allowEcho)) return deny('proof_required')
  return allow('echo')
}
