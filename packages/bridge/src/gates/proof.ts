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

/** An address of the agents' endpoint, as an agent dials it. */
export interface Dialled {
  /** As `URL.origin` writes it, with `http` or `https`. */
  readonly origin: string
  readonly path: string
}

/** Facts about the connection that a proof binds, from the bridge's own end. */
export interface BoundConnection {
  readonly connectionId: string
  readonly offeredSubprotocols: string
  /** The bridge's own addresses; the agent dialled one of them. */
  readonly dialled: readonly Dialled[]
  /** The exporter of the TLS connection that ends here, base64url; `undefined` without one. */
  readonly exporter: string | undefined
}

/** Requirements for the next proof on a connection. */
export interface ExpectedProof {
  readonly purpose: TranscriptFacts['purpose']
  readonly connection: BoundConnection
  readonly userId: string
  readonly sessionId: string
  readonly deviceId: string
  /** Name that its user gave the device. */
  readonly deviceName?: string | undefined
  /** As `provableKeys` returned them. */
  readonly keys: readonly DeviceKey[]
  readonly bridgeKeyId: string
  /** SHA-256 of the access token, base64url. */
  readonly tokenHash: string
}

/** Result of a valid proof. */
export interface Proven {
  /** Last connection that the device remembers. */
  readonly previous: string
  /** The bytes that the bridge signs in return. */
  readonly countersigned: Buffer
}

const NOTHING = new Uint8Array(0)

/**
 * Keys with which this principal's device may prove itself now.
 *
 * Rules: [PROOF.5] the device belongs to this user and session; its key is current or not yet retired, and at
 * least as new as the key that the token is bound to (RFC 7800 section 3.1).
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
 * Layer 4 of v2: checks that the peer holds the device's private key on this very connection.
 *
 * Threat: a stolen token; a relay between the agent and the bridge; a recorded or forged answer. Rules:
 * [PROOF.3] one of the device's keys signed the transcript of the bridge's own knowledge. Cheap checks come
 * first. Source: RFC 9449 section 4.3, RFC 9266 section 4.2, RFC 8032, FIPS 186-5. Checked elsewhere: single
 * and timely use of the challenge (connection/state.ts), copies of the device (admission/device-verifier.ts).
 *
 * @param challenge 64 hex digits @returns if denied, `detail` names the failed check for the log
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

/** @throws for an invalid JWK, which enrolment never stores */
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

/** Decodes base64url. Refuses a second spelling of the same bytes. */
function decoded(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}
