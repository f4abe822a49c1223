import { fileURLToPath } from 'node:url'
import { createAgent, parseConfig } from '@bridgekeeper/agent'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { expect, onTestFinished, test, vi } from 'vitest'
import { nodeServer } from '../support/agent-program.ts'
import { startBridge, type TestBridge } from '../support/bridge.ts'
import { bearer } from '../support/mcp.ts'

const FIXTURE = fileURLToPath(new URL('../conformance/fixtures/stdio.ts', import.meta.url))
const INFO = { name: 'all-servers', version: '1' }
const WAIT = { timeout: 30_000, interval: 50 }
const MINUTE = 60_000

/** Runs an agent with these forms of the fixture as its servers. @returns stops it */
async function runMachine(
  at: TestBridge,
  servers: Readonly<Record<string, string>>,
): Promise<() => Promise<void>> {
  const { accessToken, userId, sessionId } = await at.token('ann', 30 * MINUTE)
  const entries = Object.entries(servers).map(([name, form]) => [name, nodeServer(FIXTURE, form)])
  const config = JSON.stringify({ mcpServers: Object.fromEntries(entries) })
  const stop = new AbortController()
  const agent = createAgent({
    ...{ url: at.url, token: () => accessToken, userId, sessionId, onEvent: () => {} },
    servers: parseConfig(config, process.env, import.meta.dirname),
  })
  const ended = agent.run(stop.signal)
  const end = async () => {
    stop.abort()
    await ended
  }
  onTestFinished(end)
  const isListed = (name: string) =>
    at.bridge.listTools('user_ann').some(({ server }) => server.startsWith(name))
  await vi.waitFor(() => expect(Object.keys(servers).every(isListed)).toBe(true), WAIT)
  return end
}

async function connectV1(at: TestBridge, capabilities: object = {}): Promise<ClientV1> {
  const { accessToken } = await at.token('ann', 30 * MINUTE)
  const client = new ClientV1(INFO, { capabilities })
  const transport = new HttpV1(new URL(`${at.url}/mcp`), { requestInit: { headers: bearer(accessToken) } })
  await client.connect(transport as Transport)
  onTestFinished(() => client.close())
  return client
}

async function connectV2(at: TestBridge, options: object = {}): Promise<Client> {
  const { accessToken } = await at.token('ann', 30 * MINUTE)
  const client = new Client(INFO, options)
  const requestInit = { headers: bearer(accessToken) }
  await client.connect(new StreamableHTTPClientTransport(new URL(`${at.url}/mcp`), { requestInit }))
  onTestFinished(() => client.close())
  return client
}

const textOf = (result: unknown) =>
  (result as { content: { text: string }[] }).content.map(({ text }) => text).join(' ')

test('[AGG.12] the official clients use tools, prompts, resources and completion of several servers at /mcp', async () => {
  const at = await startBridge()
  await runMachine(at, { one: 'v1', two: 'v2' })
  for (const client of [await connectV1(at), await connectV2(at)]) {
    expect(client.getInstructions()).toContain('bridgekeeper__status')
    const { tools } = await client.listTools()
    const names = tools.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['one__test_simple_text', 'two__test_simple_text']))
    expect(names).not.toContain('bridgekeeper__status')
    for (const server of ['one', 'two']) {
      const called = await client.callTool({ name: `${server}__test_simple_text`, arguments: {} })
      expect(textOf(called)).toBe('This is a simple text response for testing.')
    }
    const { prompts } = await client.listPrompts()
    expect(prompts.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['one__test_simple_prompt', 'two__test_simple_prompt']),
    )
    const args = { arg1: 'a', arg2: 'b' }
    const prompt = await client.getPrompt({ name: 'two__test_prompt_with_arguments', arguments: args })
    expect(JSON.stringify(prompt.messages)).toContain('a')
    const { resources } = await client.listResources()
    for (const { uri } of resources) expect((await client.readResource({ uri })).contents).toHaveLength(1)
    const uris = resources.map(({ uri }) => uri)
    expect(uris).toContain('test://static-text')
    expect(uris).toContain('bridgekeeper://two/test://static-text')
    const { resourceTemplates } = await client.listResourceTemplates()
    expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual([
      'test://template/{id}/data',
      'bridgekeeper://two/test://template/{id}/data',
    ])
    expect(
      (await client.readResource({ uri: 'bridgekeeper://two/test://template/7/data' })).contents,
    ).toHaveLength(1)
    const ref = { type: 'ref/prompt', name: 'two__test_prompt_with_arguments' } as const
    expect((await client.complete({ ref, argument: { name: 'arg1', value: 't' } })).completion).toBeDefined()
  }
}, 120_000)

test('[AGG.12] progress, log messages, questions and updates of several servers reach their client at /mcp', async () => {
  const at = await startBridge()
  await runMachine(at, { one: 'v1', two: 'v2' })
  const client = await connectV1(at, { elicitation: {} })
  const seen: string[] = []
  client.fallbackNotificationHandler = async ({ method }) => void seen.push(method)
  client.setRequestHandler(ElicitRequestSchema, () => ({
    action: 'accept',
    content: { username: 'u', email: 'u@x.org' },
  }))
  await client.setLoggingLevel('debug')
  for (const server of ['one', 'two']) {
    const steps: number[] = []
    const onprogress = ({ progress }: { progress: number }) => void steps.push(progress)
    await client.callTool({ name: `${server}__test_tool_with_progress`, arguments: {} }, undefined, {
      onprogress,
    })
    expect(steps).toEqual([0, 50, 100])
    await client.callTool({ name: `${server}__test_tool_with_logging`, arguments: {} })
    const asked = await client.callTool({
      name: `${server}__test_elicitation`,
      arguments: { message: 'Who?' },
    })
    expect(textOf(asked)).toContain('accept')
    await client.subscribeResource({
      uri: server === 'one' ? 'test://watched-resource' : 'bridgekeeper://two/test://watched-resource',
    })
    await client.callTool({ name: `${server}__test_trigger_resource_update`, arguments: {} })
  }
  await vi.waitFor(() => {
    expect(seen.filter((method) => method === 'notifications/message').length).toBeGreaterThanOrEqual(6)
    expect(seen.filter((method) => method === 'notifications/resources/updated')).toHaveLength(2)
  }, WAIT)
}, 120_000)

test('[AGG.12] a client pinned to 2026-07-28 uses several servers at /mcp', async () => {
  const at = await startBridge()
  await runMachine(at, { one: 'v2', two: 'v2-modern' })
  const client = await connectV2(at, { versionNegotiation: { mode: { pin: '2026-07-28' } } })
  const { tools } = await client.listTools()
  expect(tools.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['one__test_simple_text', 'two__test_simple_text']),
  )
  for (const server of ['one', 'two'])
    expect(textOf(await client.callTool({ name: `${server}__test_simple_text`, arguments: {} }))).toContain(
      'simple text',
    )
  expect(textOf(await client.callTool({ name: 'bridgekeeper__status', arguments: {} }))).toContain(
    '"one": ready',
  )
  const { prompts } = await client.listPrompts()
  expect(prompts.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['one__test_simple_prompt', 'two__test_simple_prompt']),
  )
}, 120_000)

test('[AGG.12] a client keeps its session while one machine sleeps, and finds the tools of both', async () => {
  const at = await startBridge()
  await runMachine(at, { one: 'v1' })
  const stopSecond = await runMachine(at, { two: 'v1' })
  const client = await connectV1(at)
  let changes = 0
  client.fallbackNotificationHandler = async ({ method }) => {
    if (method === 'notifications/tools/list_changed') changes++
  }
  const call = async (name: string) => await client.callTool({ name, arguments: {} })
  expect(textOf(await call('two__test_simple_text'))).toContain('simple text')
  await stopSecond()
  await vi.waitFor(() => expect(changes).toBeGreaterThan(0), WAIT)
  expect(await call('two__test_simple_text')).toMatchObject({ isError: true })
  expect(textOf(await call('one__test_simple_text'))).toContain('simple text')
  const names = (await client.listTools()).tools.map(({ name }) => name)
  expect(names.filter((name) => name.startsWith('two__'))).toEqual([])
  await runMachine(at, { two: 'v1' })
  expect(textOf(await call('two__test_simple_text'))).toContain('simple text')
}, 120_000)
