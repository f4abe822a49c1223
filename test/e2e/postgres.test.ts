import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { bridgekeeper, jsonOf, serve, startBridgekeeper } from '../support/installation.ts'
import { bearer, post } from '../support/mcp.ts'
import { startPostgres } from '../support/postgres.ts'
import { scratch } from '../support/scratch.ts'

const PING = { jsonrpc: '2.0', id: 1, method: 'ping' }

test('[DB.4] shares users, tokens and revocations between a node and commands on PostgreSQL, over a restart of the node', async () => {
  const postgres = await startPostgres()
  const env = { DATABASE_URL: await postgres.fresh(), JWT_SECRET: 'x'.repeat(40) }
  const elsewhere = join(scratch(), 'data')
  const command = (...args: string[]) => bridgekeeper([...args, '--data', elsewhere, '--json'], env)
  const bridge = await serve({ env })
  await command('user', 'add', 'ann@example.com')
  const { accessToken } = (await jsonOf(command('token', 'issue', 'ann@example.com'))) as {
    accessToken: string
  }
  expect((await post(bridge, '/mcp', PING, bearer(accessToken))).status).toBe(200)
  bridge.program.signal('SIGTERM')
  await bridge.program.ended
  const again = await serve({ env, data: bridge.data })
  expect((await post(again, '/mcp', PING, bearer(accessToken))).status).toBe(200)
  await command('user', 'suspend', 'ann@example.com')
  await vi.waitFor(
    async () => expect((await post(again, '/mcp', PING, bearer(accessToken))).status).not.toBe(200),
    { timeout: 5_000 },
  )
  // A node moves the events that commands stored from the database to its log now and then.
  await vi.waitFor(() => expect(again.program.output).toContain('user_suspended'), { timeout: 10_000 })
  expect(again.program.output).not.toContain(postgres.password)
}, 120_000)

test('[DB.3] exits with a message when its database is unusable, and prints nothing of its address', async () => {
  const data = join(scratch(), 'data')
  const env = { DATABASE_URL: 'postgres://mallory:hunter2@127.0.0.1:1/x' }
  const program = startBridgekeeper(['serve', '--port', '0', '--data', data, '--json'], env)
  const { code, stdout, stderr } = await program.ended
  expect(code).toBe(1)
  expect(JSON.parse(stdout).error).toMatchObject({ code: 'database_unusable', next: expect.any(String) })
  expect(stdout + stderr).not.toMatch(/hunter2|mallory/)
}, 60_000)
