import { readFileSync } from 'node:fs'
import type { TranscriptFacts } from '@bridgekeeper/protocol'

/** Facts in JSON: bytes are hex. */
export type JsonFacts = {
  readonly [F in keyof TranscriptFacts]: TranscriptFacts[F] extends Uint8Array ? string : TranscriptFacts[F]
}

type PublicJwk = { readonly kty: string; readonly crv: string; readonly x: string; readonly y?: string }

/** A case of `proof.json`. Its keys are for tests only: everyone can read their private halves. */
export interface Vector {
  readonly name: string
  readonly algorithm: 'Ed25519' | 'ES256'
  readonly deviceKey: PublicJwk
  readonly devicePrivate: string
  /** Ed25519. */
  readonly bridgeKey: PublicJwk
  readonly bridgePrivate: string
  readonly facts: JsonFacts
  /** Hex. */
  readonly transcript: string
  readonly agentSigned: string
  readonly bridgeSigned: string
  /** base64url; for ES256 it is r and s, and differs at each signing. */
  readonly agentSignature: string
  readonly bridgeSignature: string
}

export const vectorsPath = new URL('proof.json', import.meta.url)

export function readVectors(): readonly Vector[] {
  return JSON.parse(readFileSync(vectorsPath, 'utf8')) as readonly Vector[]
}

export function factsOf(facts: JsonFacts): TranscriptFacts {
  const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')
  return {
    ...facts,
    challenge: bytes(facts.challenge),
    nonce: bytes(facts.nonce),
    tokenHash: bytes(facts.tokenHash),
    bindingValue: bytes(facts.bindingValue),
  }
}
