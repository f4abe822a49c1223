import type { ProtocolVersion } from '@bridgekeeper/protocol'
import type { Principal } from '../ports.ts'
import { allow, deny, type Verdict } from './verdict.ts'

export interface ProofPolicy {
  readonly production: boolean
  /** Whether the operator lets agents without a device's key in, in production too. */
  readonly allowEcho: boolean
}

/** How the challenge is to be answered: by a device's key, or by the echo, which holds no secret. */
export type ChallengeKind = 'proof' | 'echo'

/**
 * Layer 4: whether this login must prove a device's key.
 *
 * Threat: who stole a token comes as an older agent, or takes v2 out of the offer on the way.
 * Rules: [PROOF.6] the token of a device needs its proof; [PROOF.7] nobody who has or ever had a device comes
 * in by the echo; [PROOF.8] in production nobody does, unless it is switched on.
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
