import { type CatalogTool, cleanText } from '@bridgekeeper/protocol'
import { Client } from '@modelcontextprotocol/client'
import { coalesce } from '../coalesce.ts'
import { pause } from '../system.ts'
import { describeEnd, isMissing } from './reasons.ts'
import { hide } from './secrets.ts'
import type { ProcessSpec } from './server-process.ts'
import { StderrReader } from './stderr-reader.ts'
import { StdioTransport, type TransportDeps } from './stdio-transport.ts'
import { listTools, type ToolList } from './tools.ts'

/** What a server said of itself, and the way to call it. */
export interface Ready {
  readonly transport: StdioTransport
  readonly serverInfo: { readonly name: string; readonly version: string }
  readonly instructions?: string
  readonly tools: readonly CatalogTool[]
  readonly skippedTools: number
}

export interface LifeHandlers {
  readonly onReady: (ready: Ready) => void
  /** The server said that its tools changed, and this is the new list of them. */
  readonly onTools: (list: ToolList) => void
  readonly onStderrLine: (line: string) => void
}

export interface LifeDeps extends Omit<TransportDeps, 'onStderr'> {
  /** From the start of the process to its list of tools. */
  readonly startMs: number
  readonly secrets: readonly string[]
}

/** How one process ended, after how long a time in which it could be called. */
export interface LifeEnd {
  readonly reason: string
  readonly stderr: string
  /** On its standard output, where only messages belong. */
  readonly ignoredLines: number
  readonly missing: boolean
  readonly readyForMs: number | undefined
}

const CLIENT_INFO = { name: 'bridgekeeper', version: '0.1.0' }
/** The SDK's own time-out must not come before ours, whose reason is the better one. */
const SDK_SPARE_MS = 60_000
/** From one reading of a changed list to the next. A server may announce changes as fast as it writes. */
export const RELIST_MS = 1_000

/** One process of a local server, from its start until it is gone. Never rejects. */
export async function live(
  spec: ProcessSpec,
  signal: AbortSignal,
  handlers: LifeHandlers,
  deps: LifeDeps,
): Promise<LifeEnd> {
  const { system, startMs, secrets } = deps
  const stderr = new StderrReader(secrets, handlers.onStderrLine)
  const transport = new StdioTransport(spec, { ...deps, onStderr: (chunk) => stderr.push(chunk) })
  const stop = () => void transport.close()
  signal.addEventListener('abort', stop, { once: true })
  const cancelDeadline = system.schedule(startMs, () =>
    transport.fail(`it was not ready within ${startMs / 1_000} seconds`),
  )

  const prepared = await prepare(transport, signal, handlers, deps)
  cancelDeadline()
  if (!prepared.ok) transport.fail(prepared.reason)
  const readySinceMs = prepared.ok ? system.monotonicMs() : undefined
  if (prepared.ok) handlers.onReady(prepared.ready)

  const end = await transport.ended
  signal.removeEventListener('abort', stop)
  return {
    reason: hide(describeEnd(end, spec, prepared.ok ? 'ready' : 'starting'), secrets),
    stderr: stderr.tail(),
    ignoredLines: transport.ignoredLines,
    missing: isMissing(end),
    readyForMs: readySinceMs === undefined ? undefined : system.monotonicMs() - readySinceMs,
  }
}

type Prepared = { readonly ok: true; readonly ready: Ready } | { readonly ok: false; readonly reason: string }

async function prepare(
  transport: StdioTransport,
  signal: AbortSignal,
  handlers: LifeHandlers,
  deps: LifeDeps,
): Promise<Prepared> {
  const client = new Client(CLIENT_INFO, { capabilities: {} })
  const refresh = coalesce(async () => {
    const tools = await list(transport, deps)
    if (transport.isRunning) handlers.onTools(tools)
    await pause(deps.system, RELIST_MS, signal)
  })
  // Whether the first list was read before or after a change that came meanwhile cannot be known.
  let changedMeanwhile = false
  let onListChanged = () => {
    changedMeanwhile = true
  }
  client.setNotificationHandler('notifications/tools/list_changed', () => onListChanged())
  try {
    await client.connect(transport, { timeout: deps.startMs + SDK_SPARE_MS })
  } catch (error) {
    return {
      ok: false,
      reason: `it refused to be initialized: ${cleanText(error instanceof Error ? error.message : String(error))}`,
    }
  }

  const hasTools = client.getServerCapabilities()?.tools !== undefined
  const first: ToolList = hasTools ? await list(transport, deps) : { ok: true, tools: [], skipped: 0 }
  if (!first.ok) return first
  onListChanged = refresh
  if (changedMeanwhile) refresh()
  const instructions = client.getInstructions()
  return {
    ok: true,
    ready: {
      transport,
      serverInfo: client.getServerVersion() ?? { name: '', version: '' },
      ...(instructions !== undefined && { instructions }),
      tools: first.tools,
      skippedTools: first.skipped,
    },
  }
}

async function list(transport: StdioTransport, { system, startMs }: LifeDeps): Promise<ToolList> {
  const abort = new AbortController()
  const cancelDeadline = system.schedule(startMs, () => abort.abort())
  const tools = await listTools((params) => transport.call('tools/list', params, abort.signal))
  cancelDeadline()
  return tools
}
