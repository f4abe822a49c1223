import { hash } from 'node:crypto'
import { expect, test } from 'vitest'
import { proofKey, signProof } from '../../packages/bridge/test/support/dpop-proof.ts'
import { type AccessBridge, startAccessBridge } from '../support/access.ts'
import { LIST } from '../support/attacker.ts'
import { post } from '../support/mcp.ts'
import { tryUpgrade } from '../support/raw.ts'

const key = proofKey()
const thief = proofKey()
let ids = 0

const proofClaims = (at: AccessBridge, token: string, changes: object = {}) => ({
  jti: `id-${ids++}`,
  htm: 'POST',
  htu: `${at.url}/mcp`,
  iat: Math.floor(Date.now() / 1_000),
  ath: hash('sha256', token, 'base64url'),
  ...changes,
})

const boundToken = (at: AccessBridge) => at.sign({ ...at.kinds.client, cnf: { jkt: key.keyId } })

const dpop = (token: string, proof?: string): Record<string, string> => ({
  authorization: `DPoP ${token}`,
  ...(proof !== undefined && { dpop: proof }),
})

async function codeAt(at: AccessBridge, headers: Record<string, string>, path = '/mcp'): Promise<string> {
  const answer = await post(at, path, LIST, headers)
  return answer.status === 200 ? 'let in' : String(answer.json?.error?.data?.code)
}

test('[DPOP.2] accepts a bound token with a fresh proof each time, cached or not', async () => {
  const at = await startAccessBridge()
  const token = await boundToken(at)
  for (let round = 0; round < 3; round++)
    expect(await codeAt(at, dpop(token, signProof(key, proofClaims(at, token))))).toBe('let in')
})

test('[DPOP.5] refuses a stolen bound token without a proof by its key', async () => {
  const at = await startAccessBridge()
  const token = await boundToken(at)
  // The owner uses it, so that it is recalled.
  expect(await codeAt(at, dpop(token, signProof(key, proofClaims(at, token))))).toBe('let in')
  expect(await codeAt(at, { authorization: `Bearer ${token}` })).toBe('dpop_proof_invalid')
  expect(await codeAt(at, { cookie: `accessToken=${token}` })).toBe('dpop_proof_invalid')
  const proof = signProof(key, proofClaims(at, token))
  expect(await codeAt(at, { authorization: `Bearer ${token}`, dpop: proof })).toBe('dpop_proof_invalid')
  expect(await codeAt(at, dpop(token))).toBe('dpop_proof_invalid')
  expect(await codeAt(at, dpop(token, signProof(thief, proofClaims(at, token))))).toBe('dpop_proof_invalid')
  const masked = signProof(thief, proofClaims(at, token), { jwk: key.jwk })
  expect(await codeAt(at, dpop(token, masked))).toBe('dpop_proof_invalid')
  const answer = await post(at, '/mcp', LIST, { authorization: `Bearer ${token}` })
  expect(answer.headers.get('www-authenticate')).toContain(
    'DPoP realm="bridgekeeper", error="invalid_dpop_proof"',
  )
  expect(answer.text).not.toContain(token)
})

test('[DPOP.5] refuses an unbound token under the DPoP scheme, even with a valid proof', async () => {
  const at = await startAccessBridge()
  const token = await at.sign()
  expect(await codeAt(at, dpop(token, signProof(key, proofClaims(at, token))))).toBe('token_invalid')
  const operators = (await at.token('ann')).accessToken
  expect(await codeAt(at, dpop(operators, signProof(key, proofClaims(at, operators))))).toBe('token_invalid')
  expect(await codeAt(at, { authorization: `Bearer ${token}`, dpop: 'x' })).toBe('let in')
})

test.each<[string, object]>([
  ['for another method', { htm: 'GET' }],
  ['for another path', { htu: 'http://127.0.0.1/mcp' }],
  ['for another token', { ath: hash('sha256', 'other', 'base64url') }],
  ['without a token', { ath: undefined }],
  ['of yesterday', { iat: Math.floor(Date.now() / 1_000) - 86_400 }],
  ['of tomorrow', { iat: Math.floor(Date.now() / 1_000) + 86_400 }],
  ['without an id', { jti: undefined }],
])('[DPOP.3] [DPOP.4] refuses a recorded proof %s', async (_what, changes) => {
  const at = await startAccessBridge()
  const token = await boundToken(at)
  expect(await codeAt(at, dpop(token, signProof(key, proofClaims(at, token, changes))))).toBe(
    'dpop_proof_invalid',
  )
})

test('[DPOP.4] accepts a proof once, also when eight copies arrive at once', async () => {
  const at = await startAccessBridge()
  const token = await boundToken(at)
  const proof = signProof(key, proofClaims(at, token))
  const answers = await Promise.all(Array.from({ length: 8 }, () => codeAt(at, dpop(token, proof))))
  expect(answers.filter((answer) => answer === 'let in')).toHaveLength(1)
  expect(answers.filter((answer) => answer === 'dpop_proof_invalid')).toHaveLength(7)
})

test.each<[string, object]>([
  ['no algorithm', { alg: 'none' }],
  ['an algorithm of shared secrets', { alg: 'HS256' }],
  ['the private key inside', { jwk: { ...key.jwk, d: 'A'.repeat(43) } }],
  ['another type', { typ: 'JWT' }],
])('[DPOP.1] refuses a proof with %s', async (_what, header) => {
  const at = await startAccessBridge()
  const token = await boundToken(at)
  expect(await codeAt(at, dpop(token, signProof(key, proofClaims(at, token), header)))).toBe(
    'dpop_proof_invalid',
  )
})

test('[DPOP.5] refuses a token under the DPoP scheme on the agents’ path', async () => {
  const at = await startAccessBridge()
  const token = await at.sign(at.kinds.device)
  const proof = signProof(key, proofClaims(at, token, { htm: 'GET', htu: `${at.url}/api/mcp-ws` }))
  const answer = await tryUpgrade(at, { headers: [`Authorization: DPoP ${token}`, `DPoP: ${proof}`] })
  expect(answer.code).toBe('token_invalid')
})

test('[DPOP.2] does not block an address for failed proofs of a valid token', async () => {
  const at = await startAccessBridge()
  const token = await boundToken(at)
  for (let round = 0; round < 12; round++) expect(await codeAt(at, dpop(token))).toBe('dpop_proof_invalid')
  expect(await codeAt(at, dpop(token, signProof(key, proofClaims(at, token))))).toBe('let in')
})
