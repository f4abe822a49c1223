import { createPublicKey, type KeyObject, verify, webcrypto } from 'node:crypto'
import {
  agentSigned,
  bridgeSigned,
  type TranscriptFacts,
  thumbprint,
  transcript,
} from '@bridgekeeper/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { opensslVerifies } from './support/openssl.ts'
import { factsOf, readVectors, type Vector } from './vectors/vector.ts'

const vectors = readVectors()
const signedBytes = ({ agentSigned, bridgeSigned }: Vector) =>
  [Buffer.from(agentSigned, 'hex'), Buffer.from(bridgeSigned, 'hex')] as const
const signatures = ({ agentSignature, bridgeSignature }: Vector) =>
  [Buffer.from(agentSignature, 'base64url'), Buffer.from(bridgeSignature, 'base64url')] as const
const publicKey = (jwk: Vector['deviceKey']): KeyObject => createPublicKey({ key: { ...jwk }, format: 'jwk' })

const bytes = fc.uint8Array({ maxLength: 40 })
const text = fc.string({ unit: 'binary', maxLength: 12 })
const facts: fc.Arbitrary<TranscriptFacts> = fc.record({
  purpose: fc.constantFrom('connect', 'renew'),
  offeredSubprotocols: text,
  origin: text,
  path: text,
  connectionId: text,
  challenge: bytes,
  nonce: bytes,
  userId: text,
  sessionId: text,
  deviceId: text,
  keyId: text,
  generation: fc.nat(),
  bridgeKeyId: text,
  tokenHash: bytes,
  bindingType: fc.constantFrom('tls-exporter', 'none'),
  bindingValue: bytes,
  previous: text,
})
/** Pairs that differ in little, or not at all: two random ones would differ anyway. */
const pairs = fc
  .tuple(
    facts,
    facts,
    fc.subarray(['userId', 'sessionId', 'deviceId', 'challenge', 'nonce', 'previous'] as const),
  )
  .map(([a, b, taken]) => [a, { ...a, ...Object.fromEntries(taken.map((name) => [name, b[name]])) }] as const)
/** Moves text of one fact into the next. */
const shifted = fc.tuple(facts, fc.nat({ max: 40 })).map(([a, cut]) => {
  const whole = a.userId + a.sessionId
  return [a, { ...a, userId: whole.slice(0, cut), sessionId: whole.slice(cut) }] as const
})

function isWellFormed(facts: TranscriptFacts): boolean {
  return Object.values(facts).every((fact) => typeof fact !== 'string' || fact.isWellFormed())
}

test('[PROOF.1] encodes only equal facts to equal transcripts', () => {
  fc.assert(
    fc.property(fc.oneof(fc.tuple(facts, facts), pairs, shifted), ([a, b]) => {
      fc.pre(isWellFormed(a) && isWellFormed(b))
      if (transcript(a).equals(transcript(b))) expect(b).toEqual(a)
      else expect(b).not.toEqual(a)
    }),
    { numRuns: 5_000 },
  )
})

test('[PROOF.1] distinguishes the texts of agent and bridge, each for one transcript and signature', () => {
  fc.assert(
    fc.property(bytes, bytes, bytes, bytes, (a, b, signatureA, signatureB) => {
      expect(agentSigned(a).equals(bridgeSigned(b, signatureB))).toBe(false)
      const isSame = Buffer.compare(a, b) === 0
      expect(agentSigned(a).equals(agentSigned(b))).toBe(isSame)
      expect(bridgeSigned(a, signatureA).equals(bridgeSigned(b, signatureB))).toBe(
        isSame && Buffer.compare(signatureA, signatureB) === 0,
      )
    }),
    { numRuns: 2_000 },
  )
})

test('[PROOF.1] refuses to sign text that has no UTF-8 form', () => {
  const [vector] = vectors
  const facts = factsOf((vector as Vector).facts)
  expect(() => transcript({ ...facts, userId: '\ud800' })).toThrow(TypeError)
})

test.each(vectors)('[PROOF.2] vector: $algorithm, $name: is reproduced', (vector) => {
  const made = transcript(factsOf(vector.facts))
  const [byAgent, byBridge] = signedBytes(vector)
  expect(made.toString('hex')).toBe(vector.transcript)
  expect(agentSigned(made).equals(byAgent)).toBe(true)
  expect(bridgeSigned(made, Buffer.from(vector.agentSignature, 'base64url')).equals(byBridge)).toBe(true)
  expect(thumbprint(vector.deviceKey)).toBe(vector.facts.keyId)
  expect(thumbprint(vector.bridgeKey)).toBe(vector.facts.bridgeKeyId)
})

test.each(vectors)('[PROOF.2] vector: $algorithm, $name: verifies with node:crypto', (vector) => {
  const [byAgent, byBridge] = signedBytes(vector)
  const [agentSignature, bridgeSignature] = signatures(vector)
  const key = publicKey(vector.deviceKey)
  const isSigned =
    vector.algorithm === 'Ed25519'
      ? verify(null, byAgent, key, agentSignature)
      : verify('sha256', byAgent, { key, dsaEncoding: 'ieee-p1363' }, agentSignature)
  expect(isSigned).toBe(true)
  expect(verify(null, byBridge, publicKey(vector.bridgeKey), bridgeSignature)).toBe(true)
})

test.each(vectors)('[PROOF.2] vector: $algorithm, $name: verifies with WebCrypto', async (vector) => {
  const [byAgent, byBridge] = signedBytes(vector)
  const [agentSignature, bridgeSignature] = signatures(vector)
  const names = {
    Ed25519: [{ name: 'Ed25519' }, { name: 'Ed25519' }],
    ES256: [
      { name: 'ECDSA', namedCurve: 'P-256' },
      { name: 'ECDSA', hash: 'SHA-256' },
    ],
  } as const
  const verifies = async (
    jwk: Vector['deviceKey'],
    algorithm: Vector['algorithm'],
    signed: Buffer,
    signature: Buffer,
  ) => {
    const [imported, used] = names[algorithm]
    const key = await webcrypto.subtle.importKey('jwk', { ...jwk }, imported, false, ['verify'])
    return webcrypto.subtle.verify(used, key, signature, signed)
  }
  expect(await verifies(vector.deviceKey, vector.algorithm, byAgent, agentSignature)).toBe(true)
  expect(await verifies(vector.bridgeKey, 'Ed25519', byBridge, bridgeSignature)).toBe(true)
  expect(await verifies(vector.deviceKey, vector.algorithm, byAgent.subarray(1), agentSignature)).toBe(false)
})

test.each(vectors)('[PROOF.2] vector: $algorithm, $name: verifies with the program openssl', (vector) => {
  const [byAgent, byBridge] = signedBytes(vector)
  const [agentSignature, bridgeSignature] = signatures(vector)
  const deviceKey = publicKey(vector.deviceKey)
  const bridgeKey = publicKey(vector.bridgeKey)
  expect(opensslVerifies(deviceKey, byAgent, agentSignature)).toBe(true)
  expect(opensslVerifies(bridgeKey, byBridge, bridgeSignature)).toBe(true)
  expect(opensslVerifies(deviceKey, byBridge, agentSignature)).toBe(false)
})

test('[PROOF.2] reproduces the thumbprint of RFC 8037 appendix A.3, and refuses another kind of key', () => {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', use: 'sig' }
  expect(thumbprint(jwk)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  const others = [
    { kty: 'RSA', n: 'n', e: 'AQAB' },
    { kty: 'oct', crv: 'x', x: 'x' },
    { kty: 'EC', crv: 'P-256', x: 'x' },
  ]
  for (const other of others) expect(() => thumbprint(other), other.kty).toThrow(TypeError)
})
