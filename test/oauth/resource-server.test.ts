import { expect, test } from 'vitest'
import { startAccessBridge } from '../support/access.ts'
import { agentWith } from '../support/agents.ts'
import { LIST } from '../support/attacker.ts'
import { startBridge } from '../support/bridge.ts'
import { connectMachine } from '../support/machines.ts'
import { bearer, codeIn, modernSubscription, post, toolCall } from '../support/mcp.ts'
import { rpc } from '../support/mcp-client.ts'
import { tryUpgrade } from '../support/raw.ts'

const SCOPES = 'tools:list tools:call:*/* prompts:read resources:read completion:use'

test('[RS.5] names the resource and its authorization server in the metadata of /mcp and of each server', async () => {
  const at = await startAccessBridge()
  const get = async (path: string) => {
    const response = await fetch(`${at.url}/.well-known/oauth-protected-resource${path}`)
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    return (await response.json()) as object
  }
  const common = {
    authorization_servers: [at.url],
    scopes_supported: SCOPES.split(' '),
    bearer_methods_supported: ['header'],
    dpop_signing_alg_values_supported: ['ES256', 'Ed25519', 'EdDSA'],
  }
  expect(await get('')).toMatchObject({ ...common, resource: `${at.url}/mcp` })
  expect(await get('/mcp')).toMatchObject({ ...common, resource: `${at.url}/mcp` })
  expect(await get('/mcp/my%20files')).toMatchObject({ ...common, resource: `${at.url}/mcp/my%20files` })
})

test('[RS.5] serves no metadata at other paths, by other methods or without an authorization server', async () => {
  const at = await startAccessBridge()
  const status = async (url: string, method = 'GET') => (await fetch(url, { method })).status
  const base = '/.well-known/oauth-protected-resource'
  for (const path of ['/api/mcp-ws', '/mcp//', '/mcp/a/b', '/mcp/%ff', 'x', '//'])
    expect(await status(at.url + base + path)).toBe(404)
  expect(await status(`${at.url}${base}/mcp`, 'POST')).toBe(405)
  expect(await status(`${at.url}${base}/mcp`, 'HEAD')).toBe(200)
  expect(await status(`${(await startBridge()).url}${base}/mcp`)).toBe(404)
})

test('[RS.6] answers a request without a valid token with the address of the metadata', async () => {
  const at = await startAccessBridge()
  const challenge = async (path: string, headers = {}) => {
    const answer = await post(at, path, LIST, headers)
    expect(answer.status).toBe(401)
    return answer.headers.get('www-authenticate')
  }
  const where = (path: string) => `resource_metadata="${at.url}/.well-known/oauth-protected-resource${path}"`
  expect(await challenge('/mcp')).toBe(
    `Bearer realm="bridgekeeper", scope="${SCOPES}", ${where('/mcp')}, ` +
      `DPoP realm="bridgekeeper", algs="ES256 Ed25519 EdDSA", ${where('/mcp')}`,
  )
  expect(await challenge('/mcp/%66iles', bearer('a.b.c'))).toContain(
    `Bearer realm="bridgekeeper", error="invalid_token", error_description="The token is not valid here.", scope="${SCOPES}", ${where('/mcp/files')}`,
  )
})

test('[RS.6] answers a call outside the scopes with the scope it needs', async () => {
  const at = await startAccessBridge()
  await agentWith(at, 'ann', 'files', 'read')
  const token = await at.sign({ ...at.kinds.client, scope: 'tools:list' })
  const answer = await post(at, '/mcp', toolCall('files__read'), bearer(token))
  expect(answer.status).toBe(403)
  expect(answer.headers.get('www-authenticate')).toBe(
    `Bearer realm="bridgekeeper", error="insufficient_scope", scope="tools:call:files/read", ` +
      `resource_metadata="${at.url}/.well-known/oauth-protected-resource/mcp"`,
  )
})

test.each([
  ['prompts/list', {}, 'prompts:read'],
  ['prompts/get', { name: 'files__p' }, 'prompts:read'],
  ['resources/list', {}, 'resources:read'],
  ['resources/templates/list', {}, 'resources:read'],
  ['resources/read', { uri: 'x://1' }, 'resources:read'],
  ['resources/subscribe', { uri: 'x://1' }, 'resources:read'],
  ['completion/complete', { ref: { type: 'ref/resource', uri: 'x://{a}' } }, 'completion:use'],
  ['completion/complete', { ref: { type: 'ref/prompt', name: 'files__p' } }, 'completion:use'],
])('[RS.6] answers %s at /mcp outside the scopes with the scope it needs', async (method, params, scope) => {
  const at = await startAccessBridge()
  const capabilities = { tools: {}, prompts: {}, resources: {}, completions: {} }
  const answer = () => ({})
  const machine = await connectMachine(
    at,
    'ann',
    { name: 'files', capabilities, answer },
    { name: 'notes', capabilities, answer },
  )
  const token = await at.sign({ ...at.kinds.client, scope: 'tools:list' })
  const { status, headers, json } = await post(at, '/mcp', rpc(method, params), bearer(token))
  expect([status, codeIn(json)]).toEqual([403, 'scope_insufficient'])
  expect(headers.get('www-authenticate')).toBe(
    `Bearer realm="bridgekeeper", error="insufficient_scope", scope="${scope}", ` +
      `resource_metadata="${at.url}/.well-known/oauth-protected-resource/mcp"`,
  )
  expect(machine.opened).toEqual([])
})

test('[RS.6] [SCOPE.4] answers a subscription to resources outside the scopes with the scope it needs', async () => {
  const at = await startAccessBridge()
  const machine = await connectMachine(at, 'ann', { name: 'files', capabilities: { resources: {} } })
  const token = await at.sign({ ...at.kinds.client, scope: 'tools:list' })
  const { body, headers } = modernSubscription()
  const message = {
    ...body,
    params: { ...body.params, notifications: { resourceSubscriptions: ['x://1'] } },
  }
  const answer = await post(at, '/mcp', message, { ...headers, ...bearer(token) })
  expect([answer.status, codeIn(answer.json)]).toEqual([403, 'scope_insufficient'])
  expect(answer.headers.get('www-authenticate')).toContain('scope="resources:read"')
  expect(machine.opened).toEqual([])
})

test('[RS.7] passes no token on to the machine that runs a call', async () => {
  const at = await startAccessBridge()
  const agent = await agentWith(at, 'ann', 'files', 'read')
  const token = await at.sign()
  const call = post(at, '/mcp', toolCall('files__read', { path: '/x' }), bearer(token))
  const frame = await agent.next('tool_execute')
  expect(frame).toEqual({
    type: 'tool_execute',
    id: expect.any(String),
    serverName: 'files',
    toolName: 'read',
    args: { path: '/x' },
  })
  expect(JSON.stringify(frame)).not.toContain(token)
  agent.send({ type: 'tool_result', id: frame.id, success: true, result: { content: [] } })
  expect((await call).status).toBe(200)
})

test('[RS.4] accepts each kind of token only where it belongs', async () => {
  const at = await startAccessBridge()
  const doors = ['/mcp', '/mcp/files', '/api/mcp-ws'] as const
  const knock = async (door: (typeof doors)[number], token: string): Promise<string> => {
    if (door === '/api/mcp-ws') {
      const { status, code } = await tryUpgrade(at, { token })
      return status === 101 ? 'let in' : String(code)
    }
    const answer = await post(at, door, LIST, bearer(token))
    return answer.status === 200 ? 'let in' : String(answer.json?.error?.data?.code)
  }
  const tokens = {
    operator: (await at.token('ann')).accessToken,
    client: await at.sign(),
    one: await at.sign({ ...at.kinds.client, aud: `${at.url}/mcp/files` }),
    enrolment: await at.sign(at.kinds.enrolment),
    device: await at.sign(at.kinds.device),
  }
  const matrix: Record<string, string[]> = {}
  for (const [kind, token] of Object.entries(tokens)) {
    matrix[kind] = []
    for (const door of doors) matrix[kind].push(await knock(door, token))
  }
  expect(matrix).toEqual({
    operator: ['let in', 'let in', 'let in'],
    client: ['let in', 'token_invalid', 'token_invalid'],
    one: ['token_invalid', 'let in', 'token_invalid'],
    enrolment: ['token_invalid', 'token_invalid', 'token_invalid'],
    // This token is accepted up to the proof.
    device: ['token_invalid', 'token_invalid', 'proof_required'],
  })
})

test('[RS.4] checks a cached token again at each path', async () => {
  const at = await startAccessBridge()
  const token = bearer(await at.sign())
  for (let round = 0; round < 2; round++) {
    expect((await post(at, '/mcp', LIST, token)).status).toBe(200)
    expect((await post(at, '/mcp/files', LIST, token)).status).toBe(401)
  }
})

test('[RS.2] refuses a cached token once its session ends', async () => {
  const at = await startAccessBridge()
  const token = bearer(await at.sign())
  expect((await post(at, '/mcp', LIST, token)).status).toBe(200)
  await at.sessions.end('client')
  await at.bridge.revoke({ kind: 'session', id: 'client' })
  expect((await post(at, '/mcp', LIST, token)).status).toBe(401)
})
