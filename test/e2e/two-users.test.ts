import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { IssuedToken } from '@bridgekeeper/bridge'
import { beforeAll, expect, test } from 'vitest'
import { connect, fixture, published } from '../support/agent-program.ts'
import { login, type RunningBridge, serve } from '../support/installation.ts'
import { bearer, codeIn, post, toolCall } from '../support/mcp.ts'
import { scratch } from '../support/scratch.ts'

let bridge: RunningBridge
const people = ['ann', 'bob'] as const
type Person = (typeof people)[number]
const tokens = new Map<Person, IssuedToken>()
const folders = new Map<Person, string>()

// Each user has a server `files` with a separate folder, and a server that the other does not have.
beforeAll(async () => {
  bridge = await serve()
  for (const person of people) {
    const folder = join(scratch(), person)
    mkdirSync(folder)
    writeFileSync(join(folder, 'diary.txt'), `of ${person}`)
    folders.set(person, folder)
    tokens.set(person, await login(bridge.data, `${person}@example.com`))
    const servers = { files: published('filesystem', folder), [`only-${person}`]: fixture('unruly') }
    await connect(bridge, { token: tokenOf(person), servers })
  }
})

const tokenOf = (person: Person) => tokens.get(person)?.accessToken ?? ''
const diaryOf = (person: Person) => ({ path: join(folders.get(person) ?? '', 'diary.txt') })

function call(person: Person, path: string, tool: string, args: object) {
  return post(bridge, path, toolCall(tool, args), bearer(tokenOf(person)))
}

test('[ROUTE.2] lists each user’s own servers only', async () => {
  for (const person of people) {
    const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
    const { json } = await post(bridge, '/mcp', list, bearer(tokenOf(person)))
    const servers = json.result.tools.map((tool: { name: string }) => tool.name.split('__')[0])
    expect(new Set(servers)).toEqual(new Set(['files', `only-${person}`]))
  }
})

test('[ROUTE.2] routes calls to servers of one name to each user’s own machine, also at the same moment', async () => {
  const asked = Array.from({ length: 20 }, (_, i) => people[i % 2] ?? 'ann')
  // All with the same JSON-RPC id.
  const answers = await Promise.all(
    asked.map((person) => call(person, '/mcp/files', 'read_text_file', diaryOf(person))),
  )
  const texts = answers.map(({ json }) => json.result.content[0].text)
  expect(texts).toEqual(asked.map((person) => `of ${person}`))
})

test('[ROUTE.2] does not reach the other user’s servers by name', async () => {
  const foreign = await call('ann', '/mcp/files', 'read_text_file', diaryOf('bob'))
  expect(foreign.json.result).toMatchObject({ isError: true })
  expect(foreign.text).not.toContain('of bob')

  for (const [path, tool] of [
    ['/mcp/only-bob', 'pid'],
    ['/mcp', 'only-bob__pid'],
  ] as const) {
    const { json } = await call('ann', path, tool, {})
    expect(codeIn(json)).toBe('server_not_found')
    expect((await call('bob', path, tool, {})).json.result.content[0].text).toMatch(/^\d+$/)
  }
})

test('[ROUTE.6] fails a user’s calls when only another user’s agent is connected', async () => {
  const eve = await login(bridge.data, 'eve@example.com')
  const { json } = await post(
    bridge,
    '/mcp/files',
    toolCall('list_allowed_directories'),
    bearer(eve.accessToken),
  )
  expect(codeIn(json)).toBe('agent_offline')
})
