/** Regenerates `proof.json`: node packages/protocol/test/vectors/make.ts */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { agentSigned, bridgeSigned, thumbprint, transcript } from '@bridgekeeper/protocol'
import { factsOf, type JsonFacts, type Vector, vectorsPath } from './vector.ts'

/** PKCS#8 (RFC 8410 section 7; RFC 5915) up to the 32 bytes of the private key. */
const PKCS8 = {
  Ed25519: '302e020100300506032b657004220420',
  ES256: '3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420',
} as const

const bytesOf = (seed: string): string => createHash('sha256').update(`vector ${seed}`).digest('hex')

function keyOf(algorithm: keyof typeof PKCS8, seed: string): KeyObject {
  const key = Buffer.from(PKCS8[algorithm] + bytesOf(seed), 'hex')
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' })
}

function publicJwk(key: KeyObject): Vector['deviceKey'] {
  return createPublicKey(key).export({ format: 'jwk' }) as Vector['deviceKey']
}

function pem(key: KeyObject): string {
  return String(key.export({ format: 'pem', type: 'pkcs8' }))
}

function vector(name: string, algorithm: Vector['algorithm'], changes: Partial<JsonFacts>): Vector {
  const device = keyOf(algorithm, `device ${algorithm}`)
  const bridge = keyOf('Ed25519', 'bridge')
  const facts: JsonFacts = {
    purpose: 'connect',
    offeredSubprotocols: 'bridgekeeper.v2',
    origin: 'https://bridge.example.com',
    path: '/api/mcp-ws',
    connectionId: 'c2Vjb25kLWNvbm5lY3Rpbw',
    challenge: bytesOf('challenge'),
    nonce: bytesOf('nonce'),
    userId: 'user_0123456789ab',
    sessionId: 'session_0123456789ab',
    deviceId: 'device_0123456789ab',
    keyId: thumbprint(publicJwk(device)),
    generation: 1,
    bridgeKeyId: thumbprint(publicJwk(bridge)),
    tokenHash: bytesOf('token'),
    bindingType: 'tls-exporter',
    bindingValue: bytesOf('exporter'),
    previous: 'Zmlyc3QtY29ubmVjdGlvbg',
    ...changes,
  }
  const text = transcript(factsOf(facts))
  const byAgent = agentSigned(text)
  const agentSignature =
    algorithm === 'Ed25519'
      ? sign(null, byAgent, device)
      : sign('sha256', byAgent, { key: device, dsaEncoding: 'ieee-p1363' })
  const byBridge = bridgeSigned(text, agentSignature)
  return {
    name,
    algorithm,
    deviceKey: publicJwk(device),
    devicePrivate: pem(device),
    bridgeKey: publicJwk(bridge),
    bridgePrivate: pem(bridge),
    facts,
    transcript: text.toString('hex'),
    agentSigned: byAgent.toString('hex'),
    bridgeSigned: byBridge.toString('hex'),
    agentSignature: agentSignature.toString('base64url'),
    bridgeSignature: sign(null, byBridge, bridge).toString('base64url'),
  }
}

const unbound = { bindingType: 'none', bindingValue: '' } as const
const vectors = (['Ed25519', 'ES256'] as const).flatMap((algorithm) => [
  vector('connect, bound to TLS', algorithm, {}),
  vector('connect, the first connection of a device, TLS ended by a proxy', algorithm, {
    ...unbound,
    previous: '',
  }),
  vector('renew, with a second key', algorithm, { purpose: 'renew', generation: 2 }),
  vector('names of other alphabets, under a path, on a port', algorithm, {
    ...unbound,
    origin: 'http://127.0.0.1:8787',
    path: '/bridge/api/mcp-ws',
    userId: 'usér|例え',
    sessionId: '🔑',
  }),
])
writeFileSync(vectorsPath, `${JSON.stringify(vectors, undefined, 2)}\n`)
