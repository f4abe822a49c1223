import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { connect } from '../support/agent-program.ts'
import { bridgekeeper, login, type RunningBridge, serve } from '../support/installation.ts'
import { bearer, codeIn } from '../support/mcp.ts'
import { startPostgres } from '../support/postgres.ts'
import { kill } from '../support/processes.ts'
import { scratch } from '../support/scratch.ts'
import { SessionClient } from '../support/session-client.ts'
import { gate, PATH, ServerRecord } from '../support/talking.ts'

const EMAIL = 'ann@example.com'
const HOUR_MS = 3_600_000

/** The same session at another node. */
function at(node: RunningBridge, { headers }: SessionClient): SessionClient {
  return new SessionClient(node.url + PATH, headers)
}

test('[SESS.10] a session works at the node of its machine, moves with it, and ends when its login is revoked elsewhere', async () => {
  const env = { DATABASE_URL: await (await startPostgres()).fresh(), JWT_SECRET: 'x'.repeat(40) }
  const data = join(scratch(), 'data')
  const a = await serve({ env })
  const b = await serve({ env })
  const { accessToken: token } = await login(data, EMAIL, HOUR_MS, env)
  const record = new ServerRecord()
  const servers = { talkative: record.entry }
  const agent = await connect(a, { token, servers })
  const { accessToken, sessionId } = await login(data, EMAIL, HOUR_MS, env)
  const client = await SessionClient.begin(a.url + PATH, bearer(accessToken), {})

  // Another node opens the session, and says that no machine is connected to it.
  const elsewhere = at(b, client)
  expect(codeIn(await elsewhere.call('talk', { mark: 'b' }))).toBe('agent_offline')
  expect(codeIn(await elsewhere.request('resources/list'))).toBe('agent_offline')
  const note = { jsonrpc: '2.0', method: 'notifications/x' }
  expect((await elsewhere.post(note)).status).toBe(202)
  expect((await elsewhere.answer('asked', {})).status).toBe(503)
  expect((await client.call('talk', { mark: 'a' })).result.content[0].text).toMatch(/^a /)

  // The machine moves to the other node, and the session with it.
  kill(agent.program.pid)
  await connect(b, { token, servers })
  expect((await elsewhere.call('talk', { mark: 'b' })).result.content[0].text).toMatch(/^b /)
  await vi.waitFor(async () => expect(codeIn(await client.call('talk', { mark: 'a' }))).toBe('agent_offline'))

  // The node that the machine has left can end the session only for itself.
  expect((await fetch(client.url, { method: 'DELETE', headers: client.headers })).status).toBe(204)
  expect((await client.post(client.rpc('ping'))).status).toBe(404)
  const { status, ended } = await elsewhere.listen()
  expect(status).toBe(200)
  const { path: until } = gate()
  const running = elsewhere.post(elsewhere.rpc('tools/call', { name: 'talk', arguments: { until } }))
  await record.has(until)
  const revoked = await bridgekeeper(['revoke', 'session', sessionId, '--data', data, '--json'], env)
  expect(revoked.code, revoked.stdout).toBe(0)
  await Promise.all([ended, running])
  await record.has('notifications/cancelled')
  for (const node of [a, b])
    await vi.waitFor(async () => expect((await at(node, client).post(client.rpc('ping'))).status).toBe(401))
}, 120_000)
