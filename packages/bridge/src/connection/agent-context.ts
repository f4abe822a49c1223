import type { ProtocolVersion } from '@bridgekeeper/protocol'
import type { ExpectedProof } from '../gates/proof.ts'
import type { Verdict } from '../gates/verdict.ts'
import type { Principal } from '../ports.ts'
import type { RenewalFacts } from './life.ts'

/** What a connection knows of an agent that passed the gates. */
export interface AgentContext {
  readonly principal: Principal
  readonly version: ProtocolVersion
  readonly ip: string
  /** Answers to the echo that it may give. */
  readonly challengeAttempts: number
  /** Where a device is to prove itself; without it, the echo is asked for. */
  readonly device?: ProofExchange | undefined
}

/** What one connection of a device proves. */
export interface ProofExchange {
  readonly connectionId: string
  /** What is to be proven at first; asked for once. */
  begin(): ExpectedProof | undefined
  /** What is to be proven next. @param token a fresh one, which is verified first */
  renewal(principal: Principal, token: string | undefined): Promise<Verdict<RenewalFacts>>
  /** It was proven. */
  renewed(expected: ExpectedProof): void
  /** @returns the bridge's signature, base64url */
  sign(bytes: Buffer): string
}
