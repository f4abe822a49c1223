import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { COMPILE_CACHE } from '../../../../test/support/compile-cache.ts'
import { showOnFailure } from '../../../../test/support/last-seen.ts'
import type { ServerEntry, StdioEntry } from '../../src/config/entry.ts'
import type { ConfigEvent, ServerEvent } from '../../src/events.ts'
import { HeldBytes } from '../../src/held-bytes.ts'
import type { LocalOutcome } from '../../src/local-tools.ts'
import { Reaper } from '../../src/servers/reaper.ts'
import { realProcesses } from '../../src/servers/server-process.ts'
import { ServerSet, type SetDeps } from '../../src/servers/server-set.ts'
import { realSystem, type System } from '../../src/system.ts'
import { until } from './until.ts'

const NODE_MODULES = fileURLToPath(new URL('../../../../node_modules', import.meta.url))

/** Events that are shown when a test fails. */
const SHOWN_EVENTS = 10

/** A server that MCP publishes, as installed. */
export function published(name: 'everything' | 'filesystem' | 'memory', ...args: string[]): StdioEntry {
  return node(name, `${NODE_MODULES}/@modelcontextprotocol/server-${name}/dist/index.js`, ...args)
}

/** A script in `fixtures`. */
export function fixture(script: 'server' | 'starts', ...args: string[]): StdioEntry {
  return node('fixture', fixturePath(script), ...args)
}

export function fixturePath(script: string): string {
  return fileURLToPath(new URL(`../fixtures/${script}.ts`, import.meta.url))
}

function node(name: string, ...args: string[]): StdioEntry {
  return { kind: 'stdio', name, command: process.execPath, args, env: COMPILE_CACHE, secrets: [] }
}

type Reported = ServerEvent | ConfigEvent

/** One reaper for all servers, as in an agent. It ends with the process that runs the tests. */
let shared: Reaper | undefined

export interface Running {
  readonly servers: ServerSet
  readonly reaper: Reaper
  readonly events: readonly Reported[]
  /** Calls a tool of the first server. */
  call(toolName: string, args?: unknown, signal?: AbortSignal): Promise<LocalOutcome>
  /** The text of a result of the first server. */
  text(toolName: string, args?: unknown): Promise<string>
  event<T extends Reported['type']>(type: T, count?: number): Promise<Extract<Reported, { type: T }>>
}

/** Starts servers, and stops them when the test has finished. */
export function runServers(
  entries: readonly ServerEntry[],
  options: {
    readonly env?: NodeJS.ProcessEnv
    readonly startMs?: number
    readonly system?: System
    /** Instead of the one that all tests share; the caller closes it. */
    readonly reaper?: Reaper
    readonly onFirst?: SetDeps['onFirst']
    readonly onStopped?: SetDeps['onStopped']
  } = {},
): Running {
  const events: Reported[] = []
  showOnFailure('the local servers', () =>
    events
      .slice(-SHOWN_EVENTS)
      .map((event) => JSON.stringify(event))
      .join('\n'),
  )
  shared ??= new Reaper(realSystem)
  const { reaper = shared } = options
  const servers = new ServerSet(entries, {
    system: options.system ?? realSystem,
    reaper,
    processes: realProcesses,
    agentEnv: options.env ?? process.env,
    startMs: options.startMs ?? 20_000,
    stopTimes: { stdinMs: 300, termMs: 300 },
    held: new HeldBytes(),
    onEvent: (event) => events.push(event),
    onChange: () => {},
    onFirst: options.onFirst ?? (() => {}),
    onStopped: options.onStopped ?? (() => {}),
  })
  onTestFinished(() => servers.stop())
  servers.start()

  const call: Running['call'] = (toolName, args = {}, signal = new AbortController().signal) => {
    const rawArgs = Buffer.isBuffer(args) ? args : Buffer.from(JSON.stringify(args))
    return servers.call({ serverName: entries[0]?.name ?? '', toolName, rawArgs, signal })
  }
  return {
    servers,
    reaper,
    events,
    call,
    text: async (toolName, args) => {
      const outcome = await call(toolName, args)
      if (!outcome.ok) throw new Error(`${outcome.code}: ${outcome.error}`)
      return JSON.parse(outcome.result.toString('utf8')).content[0].text
    },
    event: (type, count = 1) =>
      until(
        () => {
          const found = events.filter((event) => event.type === type)[count - 1]
          return found as Extract<Reported, { type: typeof type }> | undefined
        },
        undefined,
        `event ${count} of type ${type}`,
      ),
  }
}

/** Starts one server and waits until it can be called. */
export async function runReady(
  entry: StdioEntry,
  options: Parameters<typeof runServers>[1] = {},
): Promise<Running> {
  const running = runServers([entry], options)
  await running.event('server-ready')
  return running
}
