import { hash } from 'node:crypto'
import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { TokenUse } from '../../src/admission/authentication.ts'
import { requestFacts } from '../../src/gates/request-facts.ts'
import type { Principal } from '../../src/ports.ts'
import { proofKey, signProof } from '../support/dpop-proof.ts'

const URL_OF_BRIDGE = 'https://bridge.example.com'
const PLAIN: Principal = { userId: 'ann', sessionId: 's', expiresAtMs: 0 }
const key = proofKey()
const BOUND: Principal = { ...PLAIN, boundKeyId: key.keyId }

function setUp() {
  const system = new FakeSystem()
  const use = new TokenUse([URL_OF_BRIDGE], system)
  const facts = (url = '/mcp', scheme = 'Bearer', proof?: string) =>
    requestFacts({
      method: 'POST',
      url,
      rawHeaders: ['Authorization', `${scheme} token`, ...(proof === undefined ? [] : ['DPoP', proof])],
      socket: {},
    })
  let jti = 0
  const prove = (changes: object = {}) =>
    signProof(key, {
      jti: `${++jti}`,
      htm: 'POST',
      htu: `${URL_OF_BRIDGE}/mcp`,
      iat: system.nowMs() / 1_000,
      ath: hash('sha256', 'token', 'base64url'),
      ...changes,
    })
  return { use, facts, prove, system }
}

test('[RS.4] accepts a token without resource and key at every path, as Bearer only', () => {
  const { use, facts } = setUp()
  expect(use.byCaller(PLAIN, 'token', facts('/mcp/a?x=1'))).toEqual({ allowed: true, value: undefined })
  expect(use.byCaller(PLAIN, 'token', facts('/mcp', 'DPoP'))).toMatchObject({
    code: 'token_invalid',
    detail: 'It is not bound to a key: send it as Bearer.',
  })
})

test('[RS.4] accepts a token of one resource there only, whatever the query', () => {
  const { use, facts } = setUp()
  const forA = { ...PLAIN, resource: `${URL_OF_BRIDGE}/mcp/a` }
  expect(use.byCaller(forA, 'token', facts('/mcp/a?x=1')).allowed).toBe(true)
  expect(use.byCaller(forA, 'token', facts('/mcp/a')).allowed).toBe(true)
  for (const path of ['/mcp', '/mcp/b', '/mcp/a/b', '/api/mcp-ws'])
    expect(use.byCaller(forA, 'token', facts(path)), path).toMatchObject({ code: 'token_invalid' })
})

test('[DPOP.5] requires a fresh proof at each use of a bound token', () => {
  const { use, facts, prove } = setUp()
  expect(use.byCaller(BOUND, 'token', facts())).toMatchObject({
    code: 'dpop_proof_invalid',
    detail: 'The token is bound to a key.',
  })
  const proof = prove()
  expect(use.byCaller(BOUND, 'token', facts('/mcp?x=1', 'DPoP', proof))).toMatchObject({ allowed: true })
  expect(use.byCaller(BOUND, 'token', facts('/mcp', 'DPoP', proof))).toMatchObject({
    code: 'dpop_proof_invalid',
  })
  expect(use.byCaller(BOUND, 'token', facts('/mcp', 'DPoP', prove()))).toMatchObject({ allowed: true })
  for (const wrong of [{ htm: 'GET' }, { htu: `${URL_OF_BRIDGE}/mcp/a` }, { ath: 'x' }, { iat: 1 }])
    expect(use.byCaller(BOUND, 'token', facts('/mcp', 'DPoP', prove(wrong)))).toMatchObject({
      code: 'dpop_proof_invalid',
    })
})

test('[RS.4] requires an agent’s token as Bearer, and refuses one of another resource', () => {
  const { use, facts } = setUp()
  const agents = { ...BOUND, resource: `${URL_OF_BRIDGE}/api/mcp-ws` }
  expect(use.byAgent(agents, facts('/api/mcp-ws?x=1')).allowed).toBe(true)
  expect(use.byAgent(PLAIN, facts('/api/mcp-ws')).allowed).toBe(true)
  expect(use.byAgent({ ...PLAIN, resource: `${URL_OF_BRIDGE}/mcp` }, facts('/api/mcp-ws')).allowed).toBe(
    false,
  )
  expect(use.byAgent(agents, facts('/api/mcp-ws', 'DPoP'))).toMatchObject({
    code: 'token_invalid',
    detail: 'An agent must send its token as Bearer.',
  })
})
