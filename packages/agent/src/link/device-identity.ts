import type { JsonWebKey } from 'node:crypto'

/** An enrolled machine's identity for the link. The private key stays with its maker. */
export interface DeviceIdentity {
  readonly deviceId: string
  readonly userId: string
  readonly sessionId: string
  /** JWK thumbprint of the key that `sign` uses now. */
  readonly keyId: string
  /** 1 for the machine's first key, one more for each rotation. */
  readonly generation: number
  /** The bridge's public keys, pinned at enrolment: Ed25519, as JWKs. */
  readonly bridgeKeys: readonly JsonWebKey[]
  /** The last recorded connection, also by another process of this machine; empty for none. */
  readonly previous: string
  /** 64 bytes: Ed25519, or r and s of ES256 over SHA-256 (IEEE P1363). An `AgentError` ends the agent. */
  sign(bytes: Buffer): Buffer | Promise<Buffer>
  /**
   * Stores the connection durably as the last one. The agent runs no call before it resolves. If it rejects,
   * the agent drops the connection and retries.
   */
  remember(connectionId: string): Promise<void>
}
