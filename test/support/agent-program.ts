import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, vi } from 'vitest'
import { COMPILE_CACHE } from './compile-cache.ts'
import { eventIn, type RunningBridge, startBridgekeeper } from './installation.ts'
import { bearer, post } from './mcp.ts'
import { type Program, repository } from './program.ts'
import { scratch } from './scratch.ts'

const START_MS = 20_000

/** An entry of an `mcpServers` file. */
export interface ServerEntry {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly clientRoots?: boolean
}

/** A server that MCP publishes, as npm installed it. */
export function published(name: 'everything' | 'filesystem' | 'memory', ...args: string[]): ServerEntry {
  const path = join(repository, 'node_modules/@modelcontextprotocol', `server-${name}`, 'dist/index.js')
  return nodeServer(path, ...args)
}

/** A server of `test/e2e/fixtures`. */
export function fixture(name: string, ...args: string[]): ServerEntry {
  return nodeServer(join(repository, 'test/e2e/fixtures', `${name}.ts`), ...args)
}

/** A server that Node runs. */
export function nodeServer(...args: string[]): ServerEntry {
  return { command: process.execPath, args, env: COMPILE_CACHE }
}

export interface Agent {
  readonly program: Program
  /** Path of its config file. */
  readonly config: string
  /** The first event of this type that meets the condition, as soon as there is one. */
  event(type: string, isIt?: (event: AgentEvent) => boolean): Promise<AgentEvent>
  /** Resolves when the bridge shows this server's tools. */
  shown(server: string): Promise<void>
}
type AgentEvent = Readonly<Record<string, unknown>>

export interface ConnectOptions {
  readonly token: string
  readonly servers: Readonly<Record<string, ServerEntry>>
}

/** Writes an `mcpServers` file, and returns its path. */
export function configFile(mcpServers: ConnectOptions['servers']): string {
  const path = join(scratch(), 'mcp.json')
  writeFileSync(path, JSON.stringify({ mcpServers }))
  return path
}

/** Starts `bridgekeeper connect` with these servers. */
export function startAgent({ url }: Pick<RunningBridge, 'url'>, options: ConnectOptions): Agent {
  const config = configFile(options.servers)
  const program = startBridgekeeper(['connect', url, '--config', config, '--json'], {
    BRIDGEKEEPER_TOKEN: options.token,
  })
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
  const event: Agent['event'] = (type, isIt = () => true) =>
    program.printed((stdout) => eventIn<AgentEvent>(stdout, 'type', type, isIt))
  return {
    program,
    config,
    event,
    shown: async (server) => {
      // Until then, lists answer with what an earlier agent had.
      await event('verified')
      await vi.waitFor(
        async () => {
          const { json } = await post({ url }, `/mcp/${server}`, list, bearer(options.token))
          // A bridge lists no tools until the agent has sent its catalog.
          expect(json, program.output).toHaveProperty('result.tools.0')
        },
        { timeout: START_MS, interval: 50 },
      )
    },
  }
}

/** The same, once the bridge shows all of its servers. */
export async function connect(bridge: Pick<RunningBridge, 'url'>, options: ConnectOptions): Promise<Agent> {
  const agent = startAgent(bridge, options)
  for (const name of Object.keys(options.servers)) await agent.shown(name)
  return agent
}
