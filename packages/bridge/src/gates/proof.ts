import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import {
  agentSigned,
  bridgeSigned,
  type Proof,
  type TranscriptFacts,
  transcript,
} from '@bridgekeeper/protocol'
import type { Device, DeviceKey } from '../ports/devices.ts'
import type { Principal } from '../ports.ts'
import { allow, deny, type Verdict } from './verdict.ts'

/** An address of the bridge's agents' endpoint, as an agent dials it. */
export interface Dialled {
  /** As `URL.origin` writes it, with `http` or `https`. */
  readonly origin: string
  readonly path: string
}

/** What of the connection itself a proof binds: known to the bridge from its own end. */
export interface BoundConnection {
  readonly connectionId: string
  readonly offeredSubprotocols: string
  /** The bridge's own addresses; the agent has dialled one of them. */
  readonly dialled: readonly Dialled[]
  /** The exporter of the TLS connection that ends here, base64url; `undefined` where none does. */
  readonly exporter: string | undefined
}

/** What the next proof on a connection must prove. */
export interface ExpectedProof {
  readonly purpose: TranscriptFacts['purpose']
  readonly connection: BoundConnection
  readonly userId: string
  readonly sessionId: string
  readonly deviceId: string
  /** Those that `provableKeys` left. */
  readonly keys: readonly DeviceKey[]
  readonly bridgeKeyId: string
  /** SHA-256 of the access token, base64url. */
  readonly tokenHash: string
}

/** What was proven. */
export interface Proven {
  /** The device's last connection, as it remembers. */
  readonly previous: string
  /** What the bridge signs in turn. */
  readonly countersigned: Buffer
}

const NOTHING = new Uint8Array(0)

/**
 * The keys with which this principal's device may prove itself now.
 *
 * Rules: [PROOF.5] the device is this user's and session's, its key current or not yet retired, and not older
 * than the one that the token is bound to (RFC 7800 section 3.1): a key that was replaced meanwhile is fine,
 * one that the replaced key came after is not.
 * @param nowMs wall clock
 */
export function provableKeys(
  { userId, sessionId, deviceId, boundKeyId }: Principal,
  device: Device | undefined,
  nowMs: number,
): Verdict<readonly DeviceKey[]> {
  if (device === undefined || device.deviceId !== deviceId) return deny('device_unknown')
  if (device.userId !== userId || device.sessionId !== sessionId) return deny('device_unknown')
  const good = device.keys.filter(({ retiresAtMs }) => retiresAtMs === undefined || retiresAtMs > nowMs)
  const bound = good.find(({ keyId }) => keyId === boundKeyId)
  if (boundKeyId !== undefined && bound === undefined) return deny('device_unknown')
  const keys = good.filter(({ generation }) => generation >= (bound?.generation ?? 0))
  return keys.length === 0 ? deny('device_unknown') : allow(keys)
}

/**
 * Layer 4 of v2: whether who answers has the device's private key, on this very connection.
 *
 * Threat: a stolen token; a relay between the agent and the bridge; a recorded or a made-up answer.
 * Rules: [PROOF.3] the signature is of one of the device's keys, over the transcript of what the bridge itself
 * knows. What is cheap is checked first.
 * Source: RFC 9449 section 4.3, RFC 9266 section 4.2, RFC 8032, FIPS 186-5.
 * Not checked here: that the challenge is used once and in time (connection/state.ts), and that the device was
 * not copied (admission/devices.ts).
 *
 * @param challenge 64 hex digits @returns where denied, `detail` is the check that failed, for the log
 */
export function verifyProof(expected: ExpectedProof, challenge: string, proof: Proof): Verdict<Proven> {
  const key = expected.keys.find(({ keyId }) => keyId === proof.keyId)
  if (key === undefined) return deny('proof_failed', 'key')
  const nonce = decoded(proof.nonce)
  if (nonce === undefined) return deny('proof_failed', 'nonce')
  const signature = decoded(proof.signature)
  if (signature === undefined) return deny('proof_failed', 'signature')

  const { purpose, userId, sessionId, deviceId, bridgeKeyId } = expected
  const { connectionId, offeredSubprotocols, dialled, exporter } = expected.connection
  const facts = {
    ...{ purpose, userId, sessionId, deviceId, bridgeKeyId, connectionId, offeredSubprotocols, nonce },
    challenge: Buffer.from(challenge, 'hex'),
    keyId: key.keyId,
    generation: key.generation,
    tokenHash: Buffer.from(expected.tokenHash, 'base64url'),
    bindingType: exporter === undefined ? ('none' as const) : ('tls-exporter' as const),
    bindingValue: exporter === undefined ? NOTHING : Buffer.from(exporter, 'base64url'),
    previous: proof.previous,
  }
  const publicKey = publicKeyOf(key)
  for (const { origin, path } of dialled) {
    const signed = transcript({ ...facts, origin, path })
    if (isSignedBy(publicKey, key, agentSigned(signed), signature))
      return allow({ previous: proof.previous, countersigned: bridgeSigned(signed, signature) })
  }
  return deny('proof_failed', 'signature')
}

/** @throws when the JWK is no public key, which nobody could have enrolled */
function publicKeyOf({ jwk }: DeviceKey): KeyObject {
  return createPublicKey({ key: JSON.parse(jwk), format: 'jwk' })
}

function isSignedBy(
  publicKey: KeyObject,
  { algorithm }: DeviceKey,
  bytes: Buffer,
  signature: Buffer,
): boolean {
  return algorithm === 'Ed25519'
    ? verify(null, bytes, publicKey, signature)
    : verify('sha256', bytes, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)
}

/** Bytes have one text only: of two texts for the same bytes, one is refused. */
function decoded(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}
