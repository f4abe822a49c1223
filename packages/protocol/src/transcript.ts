import type { BindingType } from './proof.ts'

/**
 * Facts that a device and the bridge sign to prove themselves to each other. Each end uses its own knowledge,
 * never the peer's claims, except for nonce, key and previous connection.
 */
export interface TranscriptFacts {
  /** The first proof of a connection, or a later one. */
  readonly purpose: 'connect' | 'renew'
  /** `Sec-WebSocket-Protocol` of the upgrade request, as sent. */
  readonly offeredSubprotocols: string
  /** The address that the agent dialled: `https://host[:port]`, as `URL.origin` writes it. */
  readonly origin: string
  readonly path: string
  readonly connectionId: string
  /** The 32 bytes of the challenge. */
  readonly challenge: Uint8Array
  /** 32 random bytes of the device. */
  readonly nonce: Uint8Array
  readonly userId: string
  readonly sessionId: string
  readonly deviceId: string
  /** JWK thumbprint of the device's key; `generation` counts its keys. */
  readonly keyId: string
  readonly generation: number
  /** JWK thumbprint of the bridge's key. */
  readonly bridgeKeyId: string
  /** SHA-256 of the access token. */
  readonly tokenHash: Uint8Array
  readonly bindingType: BindingType
  /** 32 bytes of the exporter (RFC 9266 section 2), or none. */
  readonly bindingValue: Uint8Array
  /** Last connection that the device remembers; empty if none. */
  readonly previous: string
}

const LABEL = 'bridgekeeper/proof/v2'
const LENGTH_BYTES = 4

/**
 * Encodes every fact in this order, each behind its length in four bytes, big-endian, so that different facts
 * never share a transcript.
 * @throws TypeError for text with a lone surrogate, which has no UTF-8 encoding
 */
export function transcript(facts: TranscriptFacts): Buffer {
  return framed([
    LABEL,
    facts.purpose,
    facts.offeredSubprotocols,
    facts.origin,
    facts.path,
    facts.connectionId,
    facts.challenge,
    facts.nonce,
    facts.userId,
    facts.sessionId,
    facts.deviceId,
    facts.keyId,
    String(facts.generation),
    facts.bridgeKeyId,
    facts.tokenHash,
    facts.bindingType,
    facts.bindingValue,
    facts.previous,
  ])
}

/** The bytes that the agent signs. Nothing that the bridge signs begins like them. */
export function agentSigned(transcript: Uint8Array): Buffer {
  return framed(['agent', transcript])
}

/** The bytes that the bridge signs after it verified the agent's signature. */
export function bridgeSigned(transcript: Uint8Array, agentSignature: Uint8Array): Buffer {
  return framed(['bridge', transcript, agentSignature])
}

function framed(parts: readonly (string | Uint8Array)[]): Buffer {
  const values = parts.map(bytesOf)
  const sizeBytes = values.reduce((sum, value) => sum + LENGTH_BYTES + value.length, 0)
  const out = Buffer.alloc(sizeBytes)
  let at = 0
  for (const value of values) {
    out.writeUInt32BE(value.length, at)
    out.set(value, at + LENGTH_BYTES)
    at += LENGTH_BYTES + value.length
  }
  return out
}

function bytesOf(part: string | Uint8Array): Uint8Array {
  if (typeof part !== 'string') return part
  if (!part.isWellFormed()) throw new TypeError('A lone surrogate cannot be signed.')
  return Buffer.from(part)
}
