import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { Transport as TransportV1 } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { ServerEntry } from '../support/agent-program.ts'
import { atEnd } from '../support/at-end.ts'
import { bearer } from '../support/mcp.ts'

/** Common interface of the official clients. */
export interface AnyClient {
  listTools(): Promise<unknown>
  callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<unknown>
  close(): Promise<void>
}

export interface ClientKind {
  readonly name: string
  readonly revision: '2025-11-25' | '2026-07-28'
  /** Connects to an MCP address over HTTP. */
  readonly overHttp: (url: string, token: string) => Promise<AnyClient>
  /** Connects to a local server, which it starts. */
  readonly overStdio: (server: ServerEntry) => Promise<AnyClient>
}

const INFO = { name: 'end-to-end', version: '1.0.0' }
const PINNED = { versionNegotiation: { mode: { pin: '2026-07-28' } } }

/** The official clients of each protocol revision. */
export const clientKinds: readonly ClientKind[] = [
  {
    name: 'client 2.4.0 in its 2025 mode',
    revision: '2025-11-25',
    overHttp: (url, token) => v2OverHttp({}, url, token),
    overStdio: v2OverStdio,
  },
  {
    name: 'client 2.4.0 pinned to 2026-07-28',
    revision: '2026-07-28',
    overHttp: (url, token) => v2OverHttp(PINNED, url, token),
    // The published servers do not speak this revision: with them only the 2025 mode works.
    overStdio: v2OverStdio,
  },
  { name: 'client 1.32.2', revision: '2025-11-25', overHttp: v1OverHttp, overStdio: v1OverStdio },
]

async function v2OverHttp(options: object, url: string, token: string): Promise<AnyClient> {
  const client = closing(new Client(INFO, options))
  await client.connect(
    new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: bearer(token) } }),
  )
  return client
}

async function v2OverStdio(server: ServerEntry): Promise<AnyClient> {
  const client = closing(new Client(INFO))
  await client.connect(new StdioClientTransport(toSpawn(server)))
  return client
}

async function v1OverHttp(url: string, token: string): Promise<AnyClient> {
  const client = closing(new ClientV1(INFO))
  const transport = new HttpV1(new URL(url), { requestInit: { headers: bearer(token) } })
  // Its types were written without exactOptionalPropertyTypes.
  await client.connect(transport as TransportV1)
  return client
}

async function v1OverStdio(server: ServerEntry): Promise<AnyClient> {
  const client = closing(new ClientV1(INFO))
  await client.connect(new StdioV1(toSpawn(server)))
  return client
}

function toSpawn({ command, args, env = {} }: ServerEntry) {
  const { PATH = '', HOME = '' } = process.env
  return { command, args: [...args], env: { PATH, HOME, ...env }, stderr: 'ignore' as const }
}

function closing<T extends { close(): Promise<void> }>(client: T): T {
  atEnd(() => client.close())
  return client
}
