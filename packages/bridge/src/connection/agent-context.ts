import type { ProtocolVersion } from '@bridgekeeper/protocol'
import type { ExpectedProof } from '../gates/proof.ts'
import type { Verdict } from '../gates/verdict.ts'
import type { Principal } from '../ports.ts'
import type { RenewalFacts } from './life.ts'

/** Facts about an admitted agent that its connection needs. */
export interface AgentContext {
  readonly principal: Principal
  readonly version: ProtocolVersion
  readonly ip: string
  /** Answers to the echo that it may give. */
  readonly challengeAttempts: number
  /** Set if a device must prove itself; without it, the echo is used. */
  readonly device?: ProofExchange | undefined
}

/** Proofs of one connection of a device. */
export interface ProofExchange {
  readonly connectionId: string
  /** Name that its user gave the device. */
  readonly deviceName: string | undefined
  /** The first expected proof; read once. */
  begin(): ExpectedProof | undefined
  /** The next expected proof. @param token a fresh one, which is verified first */
  renewal(principal: Principal, token: string | undefined): Promise<Verdict<RenewalFacts>>
  /** Records a valid proof. */
  renewed(expected: ExpectedProof): void
  /** @returns the bridge's signature, base64url */
  sign(bytes: Buffer): string
}
