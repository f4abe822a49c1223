import {
  Client,
  type ClientOptions,
  StreamableHTTPClientTransport,
  type Transport,
} from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { Transport as TransportV1 } from '@modelcontextprotocol/sdk/shared/transport.js'
import { atEnd } from '../../support/at-end.ts'
import { bearer } from '../../support/mcp.ts'
import type { ClientKind, InteropClient, Target } from './client.ts'

const INFO = { name: 'interop', version: '1.0.0' }

/** The official clients of both SDK generations, the second in each of its modes. */
export const OFFICIAL: readonly ClientKind[] = [
  { name: '@modelcontextprotocol/sdk 1.32.2', connect: v1 },
  { name: '@modelcontextprotocol/client 2.4.0', connect: (target) => v2(target, {}) },
  {
    name: '@modelcontextprotocol/client 2.4.0, `auto`',
    connect: (target) => v2(target, { versionNegotiation: { mode: 'auto' } }),
  },
  {
    name: '@modelcontextprotocol/client 2.4.0, pinned to 2026-07-28',
    connect: (target) => v2(target, { versionNegotiation: { mode: { pin: '2026-07-28' } } }),
  },
]

async function v1({ url, token }: Target): Promise<InteropClient> {
  const client = new ClientV1(INFO)
  atEnd(() => client.close())
  const transport = new HttpV1(new URL(url), { requestInit: { headers: bearer(token) } })
  // Its types were written without exactOptionalPropertyTypes.
  await client.connect(transport as TransportV1)
  return {
    restartsTimeout: true,
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: (name, args, signal) =>
      client.callTool({ name, arguments: args }, undefined, { ...(signal && { signal }) }),
    callWithProgress: (name, timeout, onprogress) =>
      client.callTool({ name }, undefined, { timeout, onprogress, resetTimeoutOnProgress: true }),
    prompts: async () => (await client.listPrompts()).prompts.map(({ name }) => name),
    prompt: (name) => client.getPrompt({ name }),
    resources: async () => (await client.listResources()).resources.map(({ uri }) => uri),
    read: (uri) => client.readResource({ uri }),
  }
}

function v2({ url, token }: Target, options: ClientOptions): Promise<InteropClient> {
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    requestInit: { headers: bearer(token) },
  })
  return connectV2(transport, options)
}

/** Connects an official client of the second generation. */
export async function connectV2(transport: Transport, options: ClientOptions = {}): Promise<InteropClient> {
  const client = new Client(INFO, options)
  atEnd(() => client.close())
  await client.connect(transport)
  return {
    restartsTimeout: true,
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: (name, args, signal) => client.callTool({ name, arguments: args }, { ...(signal && { signal }) }),
    callWithProgress: (name, timeout, onprogress) =>
      client.callTool({ name }, { timeout, onprogress, resetTimeoutOnProgress: true }),
    prompts: async () => (await client.listPrompts()).prompts.map(({ name }) => name),
    prompt: (name) => client.getPrompt({ name }),
    resources: async () => (await client.listResources()).resources.map(({ uri }) => uri),
    read: (uri) => client.readResource({ uri }),
  }
}
