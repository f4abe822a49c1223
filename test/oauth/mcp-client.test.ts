import {
  auth,
  Client,
  type OAuthTokens,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client'
import { expect, test } from 'vitest'
import { agentWith, answerNext } from '../support/agents.ts'
import { partsOf } from '../support/forge.ts'
import { AppLogin } from '../support/mcp-login.ts'
import { httpsServer } from '../support/metadata-server.ts'
import { type OAuthNode, startOAuth } from '../support/oauth.ts'
import { CALLBACK } from '../support/oauth-client.ts'
import { type Person, wordsOn } from '../support/person.ts'

/** Connects a client that discovers everything itself; its user logs in and allows it. */
async function connected(node: OAuthNode, person: Person, login: AppLogin, path = '/mcp'): Promise<Client> {
  const client = new Client({ name: 'official', version: '1' })
  const url = new URL(node.url + path)
  const transport = new StreamableHTTPClientTransport(url, { authProvider: login })
  await expect(client.connect(transport)).rejects.toThrow(UnauthorizedError)
  const consent = await person.visit(String(login.sentTo))
  expect(wordsOn(consent)).toContain('asks to use MCP servers')
  const { left } = await person.submit(consent, { answer: 'allow' })
  expect(left?.searchParams.get('state')).toBe('state-of-the-app')
  await transport.finishAuth(left?.searchParams ?? new URLSearchParams())
  const again = new Client({ name: 'official', version: '1' })
  await again.connect(new StreamableHTTPClientTransport(url, { authProvider: login }))
  return again
}

test('[OAUTH.14] the official MCP client gets from a 401 to a call by registration, login and consent', async () => {
  const node = await startOAuth()
  const agent = await agentWith(node, 'ann', 'files', 'read')
  const login = new AppLogin()
  const client = await connected(node, await node.login('ann'), login)
  const call = client.callTool({ name: 'files__read', arguments: { path: '/x' } })
  await answerNext(agent, { content: [{ type: 'text', text: 'hello' }] })
  expect((await call).content).toEqual([{ type: 'text', text: 'hello' }])
  expect(partsOf(String(login.kept?.access_token)).claims.aud).toBe(`${node.url}/mcp`)

  // Without its access token, the client refreshes automatically.
  const before = String(login.kept?.refresh_token)
  login.kept = { ...(login.kept as OAuthTokens), access_token: 'a.b.c' }
  const second = client.callTool({ name: 'files__read', arguments: {} })
  await answerNext(agent, { content: [] })
  expect((await second).content).toEqual([])
  expect(login.kept.refresh_token).not.toBe(before)
  await client.close()
})

test('[RS.5] the official MCP client connects to one server with a token for that server', async () => {
  const node = await startOAuth()
  const agent = await agentWith(node, 'ann', 'my files', 'read')
  const login = new AppLogin()
  const client = await connected(node, await node.login('ann'), login, '/mcp/my%20files')
  const call = client.callTool({ name: 'read', arguments: {} })
  await answerNext(agent, { content: [] })
  expect((await call).content).toEqual([])
  expect(partsOf(String(login.kept?.access_token)).claims.aud).toBe(`${node.url}/mcp/my%20files`)
  await client.close()
})

test('[OAUTH.16] the official MCP client uses its metadata address instead of registering', async () => {
  const node = await startOAuth({ parts: { allowRegistration: false } })
  const server = await httpsServer((_request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(
      JSON.stringify({
        client_id: `${server.url}/app.json`,
        client_name: 'Official client',
        redirect_uris: [CALLBACK],
        grant_types: ['authorization_code', 'refresh_token'],
        token_endpoint_auth_method: 'none',
      }),
    )
  })
  const login = new AppLogin(`${server.url}/app.json`)
  await agentWith(node, 'ann', 'files', 'read')
  const client = await connected(node, await node.login('ann'), login)
  expect(login.information).toMatchObject({ client_id: `${server.url}/app.json` })
  expect(await client.listTools()).toMatchObject({
    tools: [{ name: 'files__read' }],
  })
  await client.close()
})

test('[RS.6] the official MCP client asks for the scope that a call lacked', async () => {
  const node = await startOAuth()
  await agentWith(node, 'ann', 'files', 'read', 'write')
  const login = new AppLogin()
  const person = await node.login('ann')
  const asked = await auth(login, { serverUrl: `${node.url}/mcp`, scope: 'tools:list tools:call:files/read' })
  expect(asked).toBe('REDIRECT')
  const { left } = await person.submit(await person.visit(String(login.sentTo)), { answer: 'allow' })
  const transport = new StreamableHTTPClientTransport(new URL(`${node.url}/mcp`), { authProvider: login })
  await transport.finishAuth(left?.searchParams ?? new URLSearchParams())
  const client = new Client({ name: 'official', version: '1' })
  await client.connect(transport)
  login.sentTo = undefined
  await expect(client.callTool({ name: 'files__write', arguments: {} })).rejects.toThrow()
  expect((login.sentTo as URL | undefined)?.searchParams.get('scope')?.split(' ')).toContain(
    'tools:call:files/write',
  )
  await client.close()
})
