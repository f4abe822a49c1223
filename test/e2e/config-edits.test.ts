import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { connect, fixture } from '../support/agent-program.ts'
import { login, serve } from '../support/installation.ts'
import { bearer, codeIn, post, toolCall } from '../support/mcp.ts'
import { scratch } from '../support/scratch.ts'

const unruly = fixture('unruly')

async function setUp() {
  const data = scratch()
  const { accessToken: token } = await login(data, 'ann@example.com')
  const bridge = await serve({ data })
  const agent = await connect(bridge, { token, servers: { kept: unruly, edited: unruly } })
  const ask = (path: string, message: object) => post(bridge, path, message, bearer(token))
  const pid = async (server: string): Promise<string> =>
    (await ask(`/mcp/${server}`, toolCall('pid'))).json.result.content[0].text
  /** Replaces the file, as most editors do. */
  const save = (mcpServers: object) => {
    writeFileSync(`${agent.config}.new`, JSON.stringify({ mcpServers }))
    renameSync(`${agent.config}.new`, agent.config)
  }
  return { agent, ask, pid, save }
}

test('[CLI.40] [CONFIG.20] connect takes edits of its config file: only what changed restarts, and a switched-off server ends in the middle of a call', {
  timeout: 120_000,
}, async () => {
  const { agent, ask, pid, save } = await setUp()
  const kept = await pid('kept')
  const log = join(scratch(), 'log')
  const held = ask('/mcp/edited', toolCall('hold', { log, until: `${log}-never` }))
  await vi.waitFor(() => expect(readFileSync(log, 'utf8')).toBe('called\n'))

  save({ kept: unruly, edited: { ...unruly, disabled: true }, added: unruly })
  expect(await agent.event('config-changed')).toEqual({
    type: 'config-changed',
    added: ['added'],
    removed: ['edited'],
    changed: [],
  })
  expect(codeIn((await held).json)).toBe('server_exited')
  await agent.shown('added')
  expect(codeIn((await ask('/mcp/edited', toolCall('pid'))).json)).toBe('server_not_found')
  const list = await ask('/mcp', { jsonrpc: '2.0', id: 1, method: 'tools/list' })
  expect(list.text).toContain('added')
  expect(list.text).not.toContain('edited')

  const added = await pid('added')
  save({ kept: unruly, edited: unruly, added: { ...unruly, env: { A: 'b' } } })
  await agent.event('config-changed', ({ changed }) => String(changed) === 'added')
  await agent.shown('edited')
  await agent.shown('added')
  expect(await pid('added')).not.toBe(added)
  expect(await pid('kept')).toBe(kept)
})

test('[CLI.40] [CONFIG.23] connect keeps its servers while its config file is broken, says why, and takes the next version', {
  timeout: 120_000,
}, async () => {
  const { agent, pid, save } = await setUp()
  const pids = [await pid('kept'), await pid('edited')]
  writeFileSync(agent.config, '{\n  "mcpServers": {\n    "kept": {]\n')
  expect(await agent.event('config-unread')).toMatchObject({
    code: 'config_malformed',
    reason: expect.stringContaining('3:14'),
    next: expect.any(String),
  })
  expect([await pid('kept'), await pid('edited')]).toEqual(pids)
  save({ kept: unruly })
  await agent.event('config-changed', ({ removed }) => String(removed) === 'edited')
  expect(await pid('kept')).toBe(pids[0])
})
