import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { beforeAll, expect, test, vi } from 'vitest'
import { connect, published } from '../support/agent-program.ts'
import { atEnd } from '../support/at-end.ts'
import { login, type RunningBridge, serve } from '../support/installation.ts'
import { bearer } from '../support/mcp.ts'

const WAIT = { timeout: 20_000, interval: 10 }
const STATIC = 'demo://resource/static/document/features.md'
const CAPABILITIES = { sampling: {}, elicitation: { form: {}, url: {} }, roots: {} }

let bridge: RunningBridge
let token: string

beforeAll(async () => {
  bridge = await serve()
  token = (await login(bridge.data, 'ann@example.com')).accessToken
  await connect(bridge, { token, servers: { everything: { ...published('everything'), clientRoots: true } } })
})

/** Connects a client that records notifications, and answers what the server asks. */
async function connectClient() {
  const client = new Client({ name: 'everything', version: '1.0.0' }, { capabilities: CAPABILITIES })
  const logged: { level: string; data: unknown }[] = []
  const updated: string[] = []
  const asked: { method: string; params: object }[] = []
  client.setNotificationHandler('notifications/message', ({ params }) => {
    logged.push(params)
  })
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => {
    updated.push(params.uri)
  })
  client.setRequestHandler('sampling/createMessage', (request) => {
    asked.push(request)
    return { role: 'assistant', content: { type: 'text', text: 'Paris, ü' }, model: 'none' }
  })
  client.setRequestHandler('roots/list', () => ({ roots: [{ uri: 'file:///project', name: 'Project' }] }))
  client.setRequestHandler('elicitation/create', (request) => {
    asked.push(request)
    if (request.params.mode === 'url') return { action: 'accept' }
    return { action: 'accept', content: { name: 'Ann', check: true } }
  })
  atEnd(() => client.close())
  const url = new URL(`${bridge.url}/mcp/everything`)
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers: bearer(token) } }))
  return { client, logged, updated, asked }
}

async function textOf(client: Client, name: string, args: Record<string, unknown> = {}): Promise<string> {
  return JSON.stringify((await client.callTool({ name, arguments: args })).content)
}

test('[MCP.18] the tools of server-everything follow the capabilities of each client', async () => {
  const { client } = await connectClient()
  const names = (await client.listTools()).tools.map(({ name }) => name)
  expect(names).toEqual(
    expect.arrayContaining(['trigger-sampling-request', 'trigger-elicitation-request', 'get-roots-list']),
  )
  const plain = new Client({ name: 'plain', version: '1.0.0' })
  atEnd(() => plain.close())
  const url = new URL(`${bridge.url}/mcp/everything`)
  await plain.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers: bearer(token) } }))
  const fewer = (await plain.listTools()).tools.map(({ name }) => name)
  expect(fewer).not.toContain('trigger-sampling-request')
  expect(fewer.length).toBeLessThan(names.length)
})

test('[MCP.18] server-everything samples the client during a call', async () => {
  const { client, asked } = await connectClient()
  expect(await textOf(client, 'trigger-sampling-request', { prompt: 'the capital' })).toContain('Paris, ü')
  expect(asked).toMatchObject([{ method: 'sampling/createMessage', params: { temperature: 0.7 } }])
})

test('[MCP.18] server-everything asks the user by form and by URL during a call', async () => {
  const { client, asked } = await connectClient()
  expect(await textOf(client, 'trigger-elicitation-request')).toContain('User provided the requested')
  const url = 'https://example.com/confirm'
  expect(await textOf(client, 'trigger-url-elicitation', { url })).toContain('accept')
  expect(asked).toMatchObject([
    { method: 'elicitation/create' },
    { method: 'elicitation/create', params: { mode: 'url', url } },
  ])
})

test('[MCP.18] server-everything reports progress of a long operation, which restarts the time-out', async () => {
  const { client } = await connectClient()
  const steps: number[] = []
  const result = await client.callTool(
    { name: 'trigger-long-running-operation', arguments: { duration: 3, steps: 6 } },
    {
      timeout: 2_000,
      resetTimeoutOnProgress: true,
      onprogress: ({ progress }) => {
        steps.push(progress)
      },
    },
  )
  expect(JSON.stringify(result.content)).toContain('Long running operation completed')
  // The official client drops progress that arrives together with the result.
  expect(steps.slice(0, 5)).toEqual([1, 2, 3, 4, 5])
})

test('[MCP.18] server-everything updates the resources that a client has subscribed to', async () => {
  const { client, updated } = await connectClient()
  await client.subscribeResource({ uri: STATIC })
  await textOf(client, 'toggle-subscriber-updates')
  await vi.waitFor(() => expect(updated).toContain(STATIC), WAIT)
  await client.unsubscribeResource({ uri: STATIC })
  await textOf(client, 'toggle-subscriber-updates')
})

test('[MCP.18] server-everything learns the roots of the client, where the config file allows it', async () => {
  const { client } = await connectClient()
  await vi.waitFor(
    async () => expect(await textOf(client, 'get-roots-list')).toContain('file:///project'),
    WAIT,
  )
})

test('[MCP.18] server-everything logs to the client during a call', async () => {
  const { client, logged } = await connectClient()
  await client.setLoggingLevel('debug')
  expect(await textOf(client, 'toggle-simulated-logging')).toContain('Started')
  await vi.waitFor(() => expect(JSON.stringify(logged)).toMatch(/level[- ]message/), WAIT)
  expect(await textOf(client, 'toggle-simulated-logging')).toContain('Stopped')
})

test('[MCP.18] server-everything completes arguments, gets prompts and reads every resource', async () => {
  const { client } = await connectClient()
  const { prompts } = await client.listPrompts()
  expect(prompts.map(({ name }) => name)).toContain('completable-prompt')
  const { completion } = await client.complete({
    ref: { type: 'ref/prompt', name: 'completable-prompt' },
    argument: { name: 'department', value: 'E' },
  })
  expect(completion.values).toContain('Engineering')
  const { resources } = await client.listResources()
  expect(resources.length).toBeGreaterThan(5)
  for (const { uri } of resources) {
    expect((await client.readResource({ uri })).contents).not.toEqual([])
  }
})
