import { createHash } from 'node:crypto'
import { type CatalogServer, canonicalJson, catalogSchema, decodeUp } from '@bridgekeeper/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { catalogTool, readyServer, reported } from '../../../test/support/catalog.ts'
import { catalogFrames } from '../src/link/catalog-frame.ts'
import { CatalogBudget } from '../src/servers/catalog-budget.ts'
import { listTools } from '../src/servers/tools.ts'
import { realSystem, type System } from '../src/system.ts'
import { fixture, published, runReady, runServers } from './support/local.ts'
import { until } from './support/until.ts'

function toolsOf(servers: readonly CatalogServer[]) {
  const [server] = servers
  return server?.state === 'ready' ? server.tools : []
}

test('[TOOLS.1] lists a published server in a valid catalog, with its info, instructions and tools', async () => {
  const { servers } = await runReady(published('everything'))
  const [entry] = catalogSchema.parse(reported(servers.catalog()))
  expect(entry).toMatchObject({ state: 'ready', name: 'everything', instructions: expect.any(String) })
  expect(entry).toMatchObject({ serverInfo: { name: 'mcp-servers/everything', version: expect.any(String) } })
  expect(toolsOf(servers.catalog())).toHaveLength(12)
})

test('[TOOLS.2] keeps each definition as the server wrote it, named by the hash of its canonical JSON', async () => {
  const { servers } = await runReady(fixture('starts', 'odd-definitions'))
  const [tool] = toolsOf(servers.catalog())
  const definition =
    '{"name":"kept","x-vendor":{"b":1,"a":[null]},"inputSchema":{"type":"object","$defs":{}},"constructor":{"p":1}}'
  expect(tool?.definition).toBe(definition)
  expect(tool?.hash).toBe(
    createHash('sha256')
      .update(canonicalJson(JSON.parse(definition)))
      .digest('hex'),
  )
})

test('[TOOLS.3] skips and counts definitions without a name or schema', async () => {
  const { servers, event } = await runReady(fixture('starts', 'odd-definitions'))
  expect(toolsOf(servers.catalog()).map(({ name }) => name)).toEqual(['kept', 'hostile'])
  expect(await event('server-ready')).toMatchObject({ tools: 2, skippedTools: 3 })
})

test('[TOOLS.4] reads every page of a list', async () => {
  const { servers } = await runReady(fixture('starts', 'pages'))
  expect(toolsOf(servers.catalog()).map(({ name }) => name)).toEqual(['tool-0', 'tool-1', 'tool-2'])
})

test('[TOOLS.4] reads a list with one tool on each of its 1,000 pages', async () => {
  const { event } = await runReady(fixture('starts', 'thousand-pages'))
  expect(await event('server-ready')).toMatchObject({ tools: 1_000 })
})

test('[TOOLS.5] reads a changed list again', async () => {
  const { call, servers, event } = await runReady(fixture('server'))
  await call('add-tool')
  expect(await event('server-tools-changed')).toMatchObject({ tools: 3 })
  expect(toolsOf(servers.catalog()).map(({ name }) => name)).toEqual(['odd', 'lines', 'added'])
})

test('[TOOLS.5] reads the list again when it changes during the first read', async () => {
  const { servers } = await runReady(fixture('starts', 'change-while-listing'))
  await until(() => toolsOf(servers.catalog())[0]?.name !== 'list-1')
})

test('[TOOLS.9] reads a constantly changing list once a second', async () => {
  const rests: (() => void)[] = []
  const schedule: System['schedule'] = (delayMs, run) => {
    if (delayMs !== 1_000) return realSystem.schedule(delayMs, run)
    rests.push(run)
    return () => {}
  }
  const { event, text } = await runReady(fixture('starts', 'change-while-listing'), {
    system: { ...realSystem, schedule },
  })
  for (const [times, listed] of ['2', '3'].entries()) {
    await event('server-tools-changed', times + 1)
    expect(await text('listed')).toBe(listed)
    // The list's own second, and that of the announcements.
    for (const rest of rests.splice(0)) rest()
  }
})

test.each([
  ['endless-pages', 'its list of tools has more than 1024 pages'],
  ['large-pages', 'its list of tools has more than 8388608 bytes'],
  ['large-odd-pages', 'its list of tools has more than 8388608 bytes'],
  ['many-tools', 'it lists more than 1024 tools'],
  ['no-list', 'it did not list its tools: Not today'],
])('[TOOLS.6] fails a server with an unusable list: %s', async (how, reason) => {
  const { event } = runServers([fixture('starts', how)])
  expect(await event('server-failed')).toMatchObject({ reason: `It was stopped, because ${reason}.` })
})

test('[TOOLS.13] requests a refused list again before it gives the server up', async () => {
  const { servers } = await runReady(fixture('starts', 'late-list'))
  expect(toolsOf(servers.catalog()).map(({ name }) => name)).toEqual(['t'])
})

test('[TOOLS.7] accepts a server without the tools capability as ready without tools', async () => {
  const { event } = await runReady(fixture('starts', 'no-tools'))
  expect(await event('server-ready')).toMatchObject({ tools: 0 })
})

test('[TOOLS.7] asks a server for tools even if it announces none', async () => {
  const { event } = await runReady(fixture('starts', 'unannounced-tools'))
  expect(await event('server-ready')).toMatchObject({ tools: 3 })
})

test.each(['empty-cursor', 'null-cursor', 'same-cursor'])(
  '[TOOLS.10] ends the list at a cursor that leads nowhere: %s',
  async (how) => {
    const { servers } = await runReady(fixture('starts', how))
    expect(toolsOf(servers.catalog()).map(({ name }) => name)).toEqual(['t'])
  },
)

test('[TOOLS.10] hides secrets in the refusal of a cursor', async () => {
  const { event } = await runReady({ ...fixture('starts', 'refused-cursor'), secrets: ['sk-secret'] })
  expect(await event('server-tools-odd')).toMatchObject({
    reason: 'left out, because the server refused its own cursor: no page for [hidden]',
  })
})

test('[TOOLS.11] skips a tool that runs as a task only, and notifies the user', async () => {
  const { servers, event } = await runReady(fixture('starts', 'tasks'))
  expect(toolsOf(servers.catalog()).map(({ name }) => name)).toEqual(['b', 'c'])
  expect(await event('server-tools-odd')).toEqual({
    type: 'server-tools-odd',
    name: 'fixture',
    reason: 'left out, because it runs only as a task, which the bridge does not support yet',
    count: 1,
    names: ['a'],
  })
})

test('[TOOLS.3] reads null in place of numbers that JSON does not have', async () => {
  const { servers } = await runReady(fixture('starts', 'not-a-number'))
  const [tool] = toolsOf(servers.catalog())
  expect(JSON.parse(tool?.definition ?? '').inputSchema).toEqual({
    type: 'object',
    properties: { a: { default: null, maximum: null, title: 'NaN' } },
  })
})

/** An array in an array, so many deep. */
function nested(depth: number): unknown {
  return JSON.parse('['.repeat(depth) + ']'.repeat(depth))
}

function listOf(tools: readonly unknown[]) {
  return listTools(async () => ({ kind: 'result', result: Buffer.from(JSON.stringify({ tools })) }))
}

test.each([
  ['an empty name', { name: '' }],
  ['a name that is too long', { name: 'n'.repeat(129) }],
  ['a control character in its name', { name: 'a\u0007' }],
  ['a bidi character in its name', { name: 'a\u202e' }],
  ['nesting that fits no catalog', { name: 'deep', 'x-deep': nested(1_000) }],
])('[TOOLS.8] skips and counts a definition that the bridge would refuse: %s', async (_, odd) => {
  const schema = { inputSchema: {} }
  const list = await listOf([
    { ...odd, ...schema },
    { name: 'n'.repeat(128), ...schema, x: nested(990) },
  ])
  expect(list).toMatchObject({ ok: true, leftOut: [{}], tools: [{ name: 'n'.repeat(128) }] })
})

test('[TOOLS.8] sends a catalog that the bridge accepts, whatever servers say of their tools', async () => {
  const definition = fc.dictionary(
    fc.oneof(fc.constantFrom('name', 'inputSchema', '__proto__', 'x'), fc.string({ unit: 'binary' })),
    fc.oneof(
      { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 140, size: 'max' }) },
      fc.constantFrom('plain', {}, { type: 'object' }),
      fc.jsonValue(),
      fc.integer({ min: 960, max: 1_000 }).map(nested),
    ),
  )
  const named = fc.tuple(definition, fc.string({ minLength: 1 })).map(([members, name]) => ({
    ...members,
    name,
    inputSchema: { members },
  }))
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(definition, named), { maxLength: 5 }), async (definitions) => {
      const list = await listOf(definitions)
      if (!list.ok) throw new Error(list.reason)
      expect(list.tools.length + list.leftOut.length).toBeLessThanOrEqual(definitions.length)
      for (const frame of catalogFrames([readyServer('s', list.tools)]))
        expect(decodeUp(frame, 'v2')).toMatchObject({ ok: true })
    }),
    { numRuns: 500 },
  )
})

test('[TOOLS.8] sends a catalog that the bridge accepts, whatever a server says of itself', async () => {
  const { servers } = await runReady(fixture('starts', 'deep-info'))
  for (const frame of catalogFrames(servers.catalog()))
    expect(decodeUp(frame, 'v2')).toMatchObject({ ok: true })
})

test('[TOOLS.12] serves servers up to the catalog’s size, and reports one beyond it, which keeps running', async () => {
  const large = (name: string) => ({ ...fixture('starts', 'large-tools'), name })
  const { event, events, servers } = runServers([large('first')])
  await event('server-ready')
  expect(events).toContainEqual({ type: 'server-ready', name: 'first', tools: 10, skippedTools: 0 })
  expect(servers.catalog()[0]).toMatchObject({ state: 'ready', tools: { length: 10 } })

  const both = runServers([large('first'), large('second')])
  const failed = await both.event('server-failed')
  await both.event('server-ready')
  expect(failed.reason).toMatch(/^It is not listed: its tools take \d+ bytes;.*over the limit of 7340032/)
  expect(both.events.filter(({ type }) => type === 'server-ready')).toHaveLength(1)
  expect(
    both.servers
      .catalog()
      .map(({ state }) => state)
      .toSorted(),
  ).toEqual(['failed', 'ready'])
  const call = { serverName: failed.name, toolName: 't', rawArgs: Buffer.from('{}') }
  expect(await both.servers.call({ ...call, signal: new AbortController().signal })).toMatchObject({
    code: 'server_unavailable',
    error: expect.stringContaining('It is not listed'),
  })
})

test('[TOOLS.12] frees the room of a server that ends, and gives none to endless instructions', () => {
  const budget = new CatalogBudget()
  const entry = (name: string, bytes: number, instructions = '') => {
    const tool = catalogTool({ name: 't', inputSchema: {}, description: 'x'.repeat(bytes) })
    return readyServer(name, [tool], { instructions })
  }
  expect(budget.take(entry('a', 4_000_000))).toBeUndefined()
  expect(budget.take(entry('a', 5_000_000))).toBeUndefined()
  expect(budget.take(entry('b', 3_000_000))).toContain('3000')
  budget.free('a')
  expect(budget.take(entry('b', 3_000_000))).toBeUndefined()
  expect(budget.take(entry('c', 1, 'x'.repeat(300_000)))).toMatch(
    /its instructions and info take 300\d+ bytes/,
  )
})
