import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { atEnd } from '../../support/at-end.ts'
import { bearer } from '../../support/mcp.ts'
import type { ClientKind, InteropClient, Target } from './client.ts'
import { CLIENT_PACKAGES } from './packages.ts'
import { overStdio } from './stdio-proxies.ts'

const V = CLIENT_PACKAGES

/** Our name for the bridge, where a library gives names to servers. */
const BRIDGE = 'bridge'

/** The clients in these packages. @param folder into which npm installed them */
export function installedClients(folder: string): readonly ClientKind[] {
  const path = (name: string, file: string) => join(folder, 'node_modules', name, file)
  // biome-ignore lint/suspicious/noExplicitAny: its types are not part of our set-up
  const load = (name: string, file: string): Promise<any> => import(pathToFileURL(path(name, file)).href)
  return [
    {
      name: `@langchain/mcp-adapters ${V['@langchain/mcp-adapters']}`,
      connect: async (target) => langchain(await load('@langchain/mcp-adapters', 'dist/index.js'), target),
    },
    {
      name: `@mastra/mcp ${V['@mastra/mcp']}`,
      connect: async (target) => mastra(await load('@mastra/mcp', 'dist/index.js'), target),
    },
    {
      name: `mcp-use ${V['mcp-use']}`,
      connect: async (target) => mcpUse(await load('mcp-use', 'dist/src/client.js'), target),
    },
    {
      name: `supergateway ${V.supergateway}`,
      connect: ({ url, token }) => {
        const options = ['--streamableHttp', url, '--oauth2Bearer', token, '--logLevel', 'none']
        return withoutProgress(overStdio([path('supergateway', 'dist/index.js'), ...options]))
      },
    },
    {
      name: `mcp-proxy ${V['mcp-proxy']}`,
      connect: ({ url, token }) => {
        const program = join(import.meta.dirname, 'mcp-proxy-stdio.ts')
        return overStdio([program, path('mcp-proxy', 'dist/index.mjs'), url, token])
      },
    },
  ]
}

// biome-ignore lint/suspicious/noExplicitAny: as above
type Module = any
type Named = Readonly<Record<'name' | 'uri', string>>

async function langchain({ MultiServerMCPClient }: Module, { url, token }: Target): Promise<InteropClient> {
  let notify = () => {}
  const client = new MultiServerMCPClient({
    mcpServers: { [BRIDGE]: { transport: 'http', url, headers: bearer(token) } },
    onProgress: () => notify(),
  })
  atEnd(() => client.close())
  const tools: readonly Module[] = await client.getTools()
  const invoke = (name: string, args: object, options: object) =>
    tools.find((tool) => tool.name === name)?.invoke(args, options)
  const inner = await client.getClient(BRIDGE)
  return {
    tools: async () => tools.map(({ name }) => name),
    call: (name, args, signal) => invoke(name, args, { signal }),
    callWithProgress(name, _, onProgress) {
      notify = onProgress
      return invoke(name, {}, {})
    },
    prompts: async () => (await inner.listPrompts()).prompts.map(({ name }: Named) => name),
    prompt: (name) => inner.getPrompt({ name }),
    resources: async () => (await client.listResources(BRIDGE))[BRIDGE].map(({ uri }: Named) => uri),
    read: (uri) => client.readResource(BRIDGE, uri),
  }
}

let mastraClients = 0

async function mastra({ MCPClient }: Module, { url, token }: Target): Promise<InteropClient> {
  const server = { url: new URL(url), requestInit: { headers: bearer(token) }, enableProgressTracking: true }
  const client = new MCPClient({ id: `interop-${++mastraClients}`, servers: { [BRIDGE]: server } })
  atEnd(() => client.disconnect())
  const tools = await client.listTools()
  const named = (name: string) => tools[`${BRIDGE}_${name}`]
  return {
    tools: async () => Object.keys(tools).map((name) => name.slice(BRIDGE.length + 1)),
    call: (name, args, signal) => named(name).execute(args, { abortSignal: signal }),
    async callWithProgress(name, _, onProgress) {
      await client.progress.onUpdate(BRIDGE, onProgress)
      return named(name).execute({}, {})
    },
    prompts: async () => (await client.prompts.list())[BRIDGE].map(({ name }: Named) => name),
    prompt: (name) => client.prompts.get({ serverName: BRIDGE, name }),
    resources: async () => (await client.resources.list())[BRIDGE].map(({ uri }: Named) => uri),
    read: (uri) => client.resources.read(BRIDGE, uri),
  }
}

/** A client behind a program that passes on only answers. */
async function withoutProgress(connecting: Promise<InteropClient>): Promise<InteropClient> {
  const { callWithProgress: _, ...client } = await connecting
  return client
}

async function mcpUse({ MCPClient }: Module, { url, token }: Target): Promise<InteropClient> {
  const client = new MCPClient({ mcpServers: { [BRIDGE]: { url, headers: bearer(token) } } })
  atEnd(() => client.closeAllSessions())
  const session = await client.createSession(BRIDGE)
  return {
    restartsTimeout: true,
    tools: async () => (await session.listTools()).map(({ name }: Named) => name),
    call: (name, args, signal) => session.callTool(name, args, { signal }),
    callWithProgress: (name, timeout, onprogress) =>
      session.callTool(name, {}, { timeout, onprogress, resetTimeoutOnProgress: true }),
    prompts: async () => (await session.listPrompts()).prompts.map(({ name }: Named) => name),
    prompt: (name) => session.getPrompt(name, {}),
    resources: async () => (await session.listAllResources()).resources.map(({ uri }: Named) => uri),
    read: (uri) => session.readResource(uri),
  }
}
