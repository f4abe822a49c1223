import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { connect, published } from '../support/agent-program.ts'
import { login, type RunningBridge, serve } from '../support/installation.ts'
import { scratch } from '../support/scratch.ts'
import { type AnyClient, type ClientKind, clientKinds } from './clients.ts'

/** The calls that are made of each server, some of which it refuses. `unique` is new for every client. */
const CALLS: Readonly<
  Record<string, (unique: string, folder: string) => [string, Record<string, unknown>][]>
> = {
  everything: (unique) => [
    ['echo', { message: `${unique} "quoted" ü 🌉 \u2028` }],
    ['get-sum', { a: 0.1, b: 0.2 }],
    ['get-tiny-image', {}],
    ['get-structured-content', { location: 'Chicago' }],
    ['get-annotated-message', { messageType: 'error', includeImage: true }],
    ['get-resource-links', { count: 3 }],
    ['get-sum', { a: 'one' }],
    ['no-such-tool', {}],
  ],
  filesystem: (_, folder) => [
    ['list_allowed_directories', {}],
    ['directory_tree', { path: folder }],
    ['read_text_file', { path: join(folder, 'notes.txt') }],
    ['read_text_file', { path: join(folder, 'missing.txt') }],
    ['read_text_file', { path: '/etc/passwd' }],
  ],
  memory: (unique) => [
    ['create_entities', { entities: [{ name: unique, entityType: 'client', observations: ['is here'] }] }],
    ['open_nodes', { names: [unique] }],
    ['add_observations', { observations: [{ entityName: 'nobody', contents: ['x'] }] }],
  ],
}
const NAMES = Object.keys(CALLS)
const SERVER_INFO = 'io.modelcontextprotocol/serverInfo'

let bridge: RunningBridge
let token: string
let folder: string
/** Each official client connected to each server, with no bridge between them. */
const direct = new Map<string, AnyClient>()

beforeAll(async () => {
  folder = join(scratch(), 'files')
  mkdirSync(join(folder, 'deep/er'), { recursive: true })
  writeFileSync(join(folder, 'notes.txt'), 'line one\nline two, ü\n')
  bridge = await serve()
  token = (await login(bridge.data, 'ann@example.com')).accessToken
  await connect(bridge, { token, servers: Object.fromEntries(NAMES.map((name) => [name, local(name)])) })
  for (const { name: kind, overStdio } of clientKinds) {
    for (const name of NAMES) direct.set(`${kind} ${name}`, await overStdio(local(name)))
  }
})

/** A server as the agent runs it; each memory server gets its own file. */
function local(name: string) {
  if (name === 'filesystem') return published(name, folder)
  if (name === 'memory') {
    const server = published(name)
    return { ...server, env: { ...server.env, MEMORY_FILE_PATH: join(scratch(), 'memory.jsonl') } }
  }
  return published('everything')
}

describe.each(clientKinds.map((kind) => [kind.name, kind] as const))('%s', (_, kind) => {
  test.each(NAMES)('[MCP.1] lists and calls the tools of %s as over a direct connection', async (name) => {
    const bridged = await kind.overHttp(`${bridge.url}/mcp/${name}`, token)
    const tools = toolsOf(kind, await directClient(kind, name).listTools())
    expect(tools.length).toBeGreaterThan(5)
    expect(toolsOf(kind, await bridged.listTools())).toStrictEqual(tools)
    await expectSameResults(kind, name, bridged, (tool) => tool)
  })

  test('[MCP.8] lists and calls the tools of all servers as one, each named for its server', async () => {
    const bridged = await kind.overHttp(`${bridge.url}/mcp`, token)
    const listed = toolsOf(kind, await bridged.listTools())
    const expected: Tool[] = []
    for (const name of NAMES) {
      expected.push(...(await directTools(kind, name)).map((tool) => prefixed(name, tool)))
      await expectSameResults(kind, name, bridged, (tool) => `${name}__${tool}`)
    }
    expect(new Set(listed)).toEqual(new Set(expected))
    expect(listed).toHaveLength(expected.length)
  })
})

function directClient(kind: ClientKind, name: string): AnyClient {
  const client = direct.get(`${kind.name} ${name}`)
  if (client === undefined) throw new Error(`no client is connected to ${name}`)
  return client
}

async function directTools(kind: ClientKind, name: string): Promise<readonly Tool[]> {
  const { tools } = (await directClient(kind, name).listTools()) as { tools: readonly Tool[] }
  // [TOOLS.11] Tools that run only as a task are not listed at /mcp.
  return toolsOf(kind, { tools: tools.filter(({ execution }) => !needsTask(execution)) })
}

function needsTask(execution: unknown): boolean {
  return (execution as { taskSupport?: unknown } | undefined)?.taskSupport === 'required'
}

/** Makes each call twice, directly and through the bridge. */
async function expectSameResults(
  kind: ClientKind,
  name: string,
  bridged: AnyClient,
  nameOf: (tool: string) => string,
): Promise<void> {
  for (const [tool, args] of callsOf(kind, name)) {
    const expected = await directClient(kind, name).callTool({ name: tool, arguments: args })
    const result = plain(kind, await bridged.callTool({ name: nameOf(tool), arguments: args }))
    expect(JSON.stringify(result), tool).toBe(JSON.stringify(expected))
  }
}

let clients = 0
function callsOf(kind: ClientKind, name: string) {
  return CALLS[name]?.(`${kind.name} ${++clients}`, folder) ?? []
}

type Tool = Readonly<Record<string, unknown>>

/** The tools of a list. 2026-07-28 knows no `execution`, so its client drops it. */
function toolsOf(kind: ClientKind, list: unknown): readonly Tool[] {
  const { tools } = list as { tools: readonly Tool[] }
  return kind.revision === '2026-07-28' ? tools.map(({ execution: _, ...tool }) => tool) : tools
}

function prefixed(server: string, { _meta, name, ...tool }: Tool): Tool {
  const meta = { ...(_meta as object), 'bridgekeeper/server': server, 'bridgekeeper/tool': name }
  return { ...tool, name: `${server}__${name}`, _meta: meta }
}

/** A result without the server's name, which 2026-07-28 makes the bridge add. */
function plain(kind: ClientKind, result: unknown): unknown {
  if (kind.revision !== '2026-07-28') return result
  const { _meta, ...rest } = result as { _meta: object }
  expect(Object.keys(_meta)).toEqual([SERVER_INFO])
  return rest
}
