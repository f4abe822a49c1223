import { createMCPClient } from '@ai-sdk/mcp'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { Transport as TransportV1 } from '@modelcontextprotocol/sdk/shared/transport.js'
import { MCPServerStreamableHttp, setTracingDisabled } from '@openai/agents'
import { atEnd } from '../support/at-end.ts'
import { bearer } from '../support/mcp.ts'

/** The part of a client library that an app needs for tools. */
interface AppClient {
  /** The names of the tools. */
  list(): Promise<readonly string[]>
  /** @returns the content of the result */
  call(tool: string, args: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<unknown>
}

type Connect = (url: string, token: string) => Promise<AppClient>

/** The client libraries that apps connect with, each at its newest version. */
export const appClients: Readonly<Record<string, Connect>> = {
  'client 2.4.0 in its 2025 mode': (url, token) => official({}, url, token),
  'client 2.4.0 pinned to 2026-07-28': (url, token) =>
    official({ versionNegotiation: { mode: { pin: '2026-07-28' } } }, url, token),
  'client 1.32.2': officialV1,
  '@ai-sdk/mcp 2.0.99': aiSdk,
  '@openai/agents 0.20.0': openAiAgents,
}

const INFO = { name: 'end-to-end', version: '1.0.0' }

async function official(options: object, url: string, token: string): Promise<AppClient> {
  const client = new Client(INFO, options)
  atEnd(() => client.close())
  await client.connect(
    new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: bearer(token) } }),
  )
  return appClient(client)
}

async function officialV1(url: string, token: string): Promise<AppClient> {
  const client = new ClientV1(INFO)
  atEnd(() => client.close())
  const transport = new HttpV1(new URL(url), { requestInit: { headers: bearer(token) } })
  // Its types were written without exactOptionalPropertyTypes.
  await client.connect(transport as TransportV1)
  return {
    list: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args, signal) =>
      (await client.callTool({ name, arguments: args }, undefined, { ...(signal && { signal }) })).content,
  }
}

/** An official client of the second generation that is connected. */
function appClient(client: Client): AppClient {
  return {
    list: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args, signal) =>
      (await client.callTool({ name, arguments: args }, { ...(signal && { signal }) })).content,
  }
}

async function aiSdk(url: string, token: string): Promise<AppClient> {
  const client = await createMCPClient({ transport: { type: 'http', url, headers: bearer(token) } })
  atEnd(() => client.close())
  return {
    list: async () => Object.keys(await client.tools()),
    // Calls the tool like `generateText` of the AI SDK.
    async call(name, args, signal) {
      const tool = (await client.tools())[name]
      const options = {
        toolCallId: 'call-1',
        messages: [],
        context: {},
        ...(signal && { abortSignal: signal }),
      }
      const result = (await tool?.execute(args, options)) as { content: unknown } | undefined
      return result?.content
    },
  }
}

async function openAiAgents(url: string, token: string): Promise<AppClient> {
  // Otherwise it would send traces to its vendor.
  setTracingDisabled(true)
  const server = new MCPServerStreamableHttp({ url, requestInit: { headers: bearer(token) } })
  atEnd(() => server.close())
  await server.connect()
  return {
    list: async () => (await server.listTools()).map(({ name }) => name),
    call: (name, args, signal) => server.callTool(name, args, null, { ...(signal && { signal }) }),
  }
}
