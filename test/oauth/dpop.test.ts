import * as DPoP from 'dpop'
import * as oauth from 'oauth4webapi'
import { expect, test } from 'vitest'
import { LIST } from '../support/attacker.ts'
import { partsOf } from '../support/forge.ts'
import { MCP_HEADERS } from '../support/mcp.ts'
import { type OAuthNode, startOAuth } from '../support/oauth.ts'
import { askToken, connect, INSECURE, register } from '../support/oauth-client.ts'

const atMcp = async (node: OAuthNode, token: string, proof: string, scheme = 'DPoP') =>
  (
    await fetch(`${node.url}/mcp`, {
      method: 'POST',
      headers: { ...MCP_HEADERS, authorization: `${scheme} ${token}`, dpop: proof },
      body: JSON.stringify(LIST),
    })
  ).status

test.each(['ES256', 'Ed25519'] as const)(
  '[DPOP.2] issues bound tokens to an independent client with a key (%s), which uses and refreshes them',
  async (alg) => {
    const node = await startOAuth()
    const app = await register(node)
    const keys = await oauth.generateKeyPair(alg)
    const handle = oauth.DPoP(app.client, keys)
    const tokens = await connect(await node.login('ann'), app, {}, { DPoP: handle })
    expect(tokens.token_type).toBe('dpop')
    expect(partsOf(tokens.access_token).claims.cnf).toEqual({ jkt: await handle.calculateThumbprint() })

    // By oauth4webapi itself, and by the module `dpop`.
    const answer = await oauth.protectedResourceRequest(
      tokens.access_token,
      'POST',
      new URL(`${node.url}/mcp`),
      new Headers(MCP_HEADERS),
      JSON.stringify(LIST),
      { DPoP: handle, ...INSECURE },
    )
    expect(answer.status).toBe(200)
    const proof = () => DPoP.generateProof(keys, `${node.url}/mcp`, 'POST', undefined, tokens.access_token)
    expect(await atMcp(node, tokens.access_token, await proof())).toBe(200)
    const used = await proof()
    expect(await atMcp(node, tokens.access_token, used)).toBe(200)
    expect(await atMcp(node, tokens.access_token, used)).toBe(401)
    expect(await atMcp(node, tokens.access_token, await proof(), 'Bearer')).toBe(401)

    const { as, client, auth } = app
    const refreshed = await oauth.refreshTokenGrantRequest(as, client, auth, String(tokens.refresh_token), {
      ...INSECURE,
      DPoP: handle,
    })
    const next = await oauth.processRefreshTokenResponse(as, client, refreshed)
    expect(next.token_type).toBe('dpop')
    expect(partsOf(next.access_token).claims.cnf).toEqual({ jkt: await handle.calculateThumbprint() })
  },
)

test('[DPOP.2] refuses a public client’s bound refresh token without its key', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const handle = oauth.DPoP(app.client, await oauth.generateKeyPair('ES256'))
  const tokens = await connect(await node.login('ann'), app, {}, { DPoP: handle })
  const parameters = {
    grant_type: 'refresh_token',
    client_id: app.client.client_id,
    refresh_token: String(tokens.refresh_token),
  }
  expect((await askToken(app.as, parameters)).body.error).toBe('invalid_grant')
  const thief = await oauth.generateKeyPair('ES256')
  const proof = await DPoP.generateProof(thief, `${node.url}/oauth/token`, 'POST')
  expect((await askToken(app.as, parameters, { dpop: proof })).body.error).toBe('invalid_grant')
})

test('[DPOP.3] issues no token for a proof of another address or method', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const keys = await oauth.generateKeyPair('ES256')
  const parameters = { grant_type: 'refresh_token', client_id: app.client.client_id, refresh_token: 'x' }
  for (const [url, method] of [
    [`${node.url}/oauth/authorize`, 'POST'],
    [`${node.url}/oauth/token`, 'GET'],
    ['https://evil.example/oauth/token', 'POST'],
  ] as const) {
    const proof = await DPoP.generateProof(keys, url, method)
    expect((await askToken(app.as, parameters, { dpop: proof })).body.error).toBe('invalid_dpop_proof')
  }
})
