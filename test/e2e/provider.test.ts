import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { expect, onTestFinished, test } from 'vitest'
import { bridgekeeper, login, serve } from '../support/installation.ts'
import { bearer, post } from '../support/mcp.ts'
import { scratch } from '../support/scratch.ts'

const DISCOVER = { jsonrpc: '2.0', id: 1, method: 'ping' }

test('[JWKS.4] serve accepts only a provider’s tokens if the environment names one', async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: '1', alg: 'ES256' }] })
  const provider = createServer((_request, response) => response.end(jwks)).listen(0, '127.0.0.1')
  await once(provider, 'listening')
  onTestFinished(() => void provider.close())
  const { port } = provider.address() as AddressInfo
  const env = {
    BRIDGEKEEPER_JWKS_URL: `http://127.0.0.1:${port}/jwks`,
    BRIDGEKEEPER_JWT_ISSUER: 'https://login.example.com',
    BRIDGEKEEPER_JWT_AUDIENCE: 'https://bridge.example.com',
  }
  const bridge = await serve({ env })
  const token = await new SignJWT({ sid: 'login-1' })
    .setProtectedHeader({ alg: 'ES256', kid: '1', typ: 'at+jwt' })
    .setIssuer(env.BRIDGEKEEPER_JWT_ISSUER)
    .setAudience(env.BRIDGEKEEPER_JWT_AUDIENCE)
    .setSubject('ann')
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(privateKey)
  expect((await post(bridge, '/mcp', DISCOVER, bearer(token))).status).toBe(200)
  const own = await login(bridge.data, 'ann@example.com')
  expect((await post(bridge, '/mcp', DISCOVER, bearer(own.accessToken))).status).toBe(401)
})

test.each([
  { BRIDGEKEEPER_JWKS_URL: 'https://login.example.com/jwks' },
  {
    BRIDGEKEEPER_JWKS_URL: 'http://login.example.com/jwks',
    BRIDGEKEEPER_JWT_ISSUER: 'i',
    BRIDGEKEEPER_JWT_AUDIENCE: 'a',
  },
])('[JWKS.4] refuses to start with an incomplete provider or one over plain HTTP', async (env) => {
  const data = join(scratch(), 'data')
  const { code, stdout } = await bridgekeeper(['serve', '--port', '0', '--data', data, '--json'], env)
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({
    error: { code: 'setting_invalid', next: expect.stringMatching(/\w/) },
  })
})
