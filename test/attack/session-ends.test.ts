import { expect, test, vi } from 'vitest'
import { bearer, codeIn, MCP_HEADERS } from '../support/mcp.ts'
import { startOAuth } from '../support/oauth.ts'
import { Recorded } from '../support/recorded.ts'
import { startScopedBridge } from '../support/scoped.ts'
import { SessionClient } from '../support/session-client.ts'
import { gate, PATH, startTalking } from '../support/talking.ts'

test.each([
  ['a login', ({ sessionId }: { sessionId: string }) => ({ kind: 'session' as const, id: sessionId })],
  ['a user', ({ userId }: { userId: string }) => ({ kind: 'user' as const, id: userId })],
])('[STREAM.6] the end of %s ends its streams, and what runs for them', async (_, revocation) => {
  const { at, record } = await startTalking()
  const token = await at.token('ann')
  const client = await SessionClient.begin(at.url + PATH, bearer(token.accessToken), {})
  const { ended, status } = await client.listen()
  expect(status).toBe(200)
  const posted = client.post(
    client.rpc('tools/call', { name: 'talk', arguments: { mark: 'one', until: '/none' } }),
  )
  await client.next(({ method }) => method === 'notifications/message')
  const [eventId = ''] = client.eventIds
  await at.bridge.revoke(revocation(token))
  await Promise.all([ended, posted])
  // The agent of a revoked user is gone, and a new login of the user may wait for it.
  if (revocation(token).kind === 'user') return
  expect((await client.listen()).status).toBe(401)
  expect((await client.listen({ 'last-event-id': eventId })).status).toBe(401)
  expect((await client.post(client.rpc('ping'))).status).toBe(401)
  await record.has('notifications/cancelled')
})

test('[EXCH.12] cancels a call of a revoked login whose client had already left', async () => {
  const log = new Recorded()
  const { at, record } = await startTalking({ securityLog: log.securityLog })
  const token = await at.token('ann')
  const client = await SessionClient.begin(at.url + PATH, bearer(token.accessToken), {})
  const gone = new AbortController()
  const posted = fetch(client.url, {
    method: 'POST',
    headers: { ...MCP_HEADERS, ...client.headers },
    body: JSON.stringify(
      client.rpc('tools/call', { name: 'talk', arguments: { mark: 'one', until: '/none' } }),
    ),
    signal: gone.signal,
  }).then((response) => response.text())
  await record.has('"one"')
  gone.abort()
  await expect(posted).rejects.toThrow()
  await vi.waitFor(() =>
    expect(log.named('ws_tool_execution_result')).toMatchObject([{ reason: 'detached' }]),
  )
  await at.bridge.revoke({ kind: 'session', id: token.sessionId })
  await record.has('notifications/cancelled')
})

/** A client that may only call `talk`. */
async function limited() {
  const at = await startScopedBridge()
  const talking = await startTalking({}, at)
  const auth = bearer(await at.scopedToken('ann', 'tools:call:talkative/talk'))
  const client = await SessionClient.begin(at.url + PATH, auth, {})
  return { ...talking, at, client }
}

test('[SCOPE.2] a token with scopes sees only its tools, however it asks', async () => {
  const { client } = await limited()
  const { result } = await client.request('tools/list', { _meta: { progressToken: 1 } })
  expect(result.tools.map(({ name }: { name: string }) => name)).toEqual(['talk'])
  for (const headers of [{ accept: 'application/json' }, { accept: 'text/event-stream' }])
    await client.post(client.rpc('tools/list'), headers)
  await client.post([client.rpc('tools/list')], { 'mcp-protocol-version': '2025-03-26' })
  await client.post('{"jsonrpc":"2.0","id":"x","method":"tools\\u002flist"}')
  expect(client.heard).not.toContain('"late"')
  for (const method of ['resources/read', 'prompts/get', 'completion/complete', 'x/unknown'])
    expect((await client.post(client.rpc(method))).status).toBe(403)
  expect((await client.post(client.rpc('tools/call', { name: 'late' }))).status).toBe(403)
})

test.each([
  [PATH, ''],
  [PATH, '.rMg'],
  [PATH, '_all'],
  ['/mcp', ''],
  ['/mcp', '_all'],
])(
  '[SCOPE.2] a token with scopes cannot read its list on without the filter: %s %s',
  async (path, suffix) => {
    const { at, client, cut, record } = await limited()
    const until = gate()
    const posted = client.post(client.rpc('tools/list', { until: until.path }))
    await record.has(until.path)
    cut()
    const { json } = await posted
    expect(codeIn(json)).toBe('outcome_unknown')
    const [, exchangeId = ''] = /Exchange ([\w-]+)/.exec(json.error.message) ?? []
    until.open()
    await vi.waitFor(async () => {
      const { result } = await client.call('talk', { mark: 'back' })
      expect(result?.content[0].text).toMatch(/^back /)
    })
    const reader = new SessionClient(at.url + path, client.headers)
    const { status, ended } = await reader.listen({ 'last-event-id': `${exchangeId}_0${suffix}` })
    expect(status).toBe(200)
    // A stream of all servers has no end; it begins with changes of lists.
    if (path === '/mcp' && suffix === '_all')
      await reader.next(({ method }) => method === 'notifications/resources/list_changed')
    else if (suffix === '_all') expect(await ended).not.toContain('"tools"')
    else expect(await ended).toContain('"tools":[]')
    await client.request('ping')
    expect(reader.heard).not.toContain('"late"')
  },
)

test('[REVOKE.1] a blocked user loses streams and sessions', async () => {
  const node = await startOAuth()
  const { client, record } = await startTalking({}, node)
  const victim = await client(undefined, {})
  const { ended } = await victim.listen()
  const posted = victim.call('talk', { mark: 'one', until: gate().path })
  await record.has('"one"')
  await node.stores.users.setState('user_ann', 'suspended').catch(() => {})
  await node.revoke({ kind: 'user', id: 'user_ann' })
  await ended
  void posted.catch(() => {})
  await vi.waitFor(async () => expect((await victim.post(victim.rpc('ping'))).status).toBe(403))
})
