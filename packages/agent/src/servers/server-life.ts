import { cleanText } from '@bridgekeeper/protocol'
import { coalesce } from '../coalesce.ts'
import { pause } from '../system.ts'
import { type Introduction, type ServerProtocolVersion, shakeHands } from './handshake.ts'
import { describeEnd, isMissing } from './reasons.ts'
import { cutHider, hide } from './secrets.ts'
import type { ProcessSpec } from './server-process.ts'
import { StderrReader } from './stderr-reader.ts'
import { StdioTransport, type TransportDeps, type TransportEnd } from './stdio-transport.ts'
import { listTools, NO_TOOLS, type ToolList } from './tools.ts'

/** A ready server: its introduction, and the way to call it. */
export interface Ready {
  readonly transport: StdioTransport
  readonly introduction: Introduction
  readonly list: Extract<ToolList, { ok: true }>
}

export interface LifeHandlers {
  readonly onReady: (ready: Ready) => void
  /** Receives the new list of tools after the server reported a change. */
  readonly onTools: (list: ToolList) => void
  readonly onStderrLine: (line: string) => void
  /** Receives standard output that is not a message; `text` is its beginning, up to its first JSON. */
  readonly onIgnored: (reason: string, text: string) => void
}

export interface LifeDeps
  extends Omit<TransportDeps, 'onStderr' | 'onNotification' | 'onIgnored' | 'hideCut'> {
  /** Time limit from the start of the process to its list of tools. */
  readonly startMs: number
  readonly secrets: readonly string[]
  /** Protocol version that `initialize` offers. */
  readonly version: ServerProtocolVersion
}

/** Outcome of one process of a local server. */
export interface LifeEnd {
  readonly reason: string
  readonly stderr: string
  /** Lines on its standard output that were not messages. */
  readonly ignoredLines: number
  readonly missing: boolean
  readonly readyForMs: number | undefined
  /** Whether it answered `initialize`, with a result or an error. */
  readonly answered: boolean
}

/** Limit for listing the tools of a server that does not announce any. */
const UNANNOUNCED_TOOLS_MS = 3_000
/** Minimum time between two readings of a changed list, however fast the server announces changes. */
export const RELIST_MS = 1_000

/** Runs one process of a local server until it has ended. Never rejects. */
export async function live(
  spec: ProcessSpec,
  signal: AbortSignal,
  handlers: LifeHandlers,
  deps: LifeDeps,
): Promise<LifeEnd> {
  const { system, startMs, secrets } = deps
  const stderr = new StderrReader(secrets, handlers.onStderrLine)
  const changes = new ListChanges()
  const transport = new StdioTransport(spec, {
    ...deps,
    onStderr: (chunk) => stderr.push(chunk),
    onNotification: (method) => method === LIST_CHANGED && changes.announce(),
    onIgnored: handlers.onIgnored,
    hideCut: cutHider(secrets),
  })
  const stop = () => void transport.close()
  signal.addEventListener('abort', stop, { once: true })
  const cancelDeadline = system.schedule(startMs, () =>
    transport.fail(`it was not ready within ${startMs / 1_000} seconds`),
  )

  const prepared = await prepare(transport, deps)
  cancelDeadline()
  if (!prepared.ok) transport.fail(prepared.reason)
  const readySinceMs = prepared.ok ? system.monotonicMs() : undefined
  if (prepared.ok) {
    handlers.onReady(prepared.ready)
    changes.follow(
      coalesce(async () => {
        const tools = await list(transport, deps, startMs)
        if (transport.isRunning) handlers.onTools(tools)
        await pause(system, RELIST_MS, signal)
      }),
    )
  }

  const end = await transport.ended
  signal.removeEventListener('abort', stop)
  return {
    // Hides secrets before it cuts the text: a secret that was cut would not be found.
    reason: cleanText(hide(reasonOf(end, spec, prepared), secrets)),
    stderr: stderr.tail(),
    ignoredLines: transport.ignoredLines,
    missing: isMissing(end),
    readyForMs: readySinceMs === undefined ? undefined : system.monotonicMs() - readySinceMs,
    answered: prepared.ok || prepared.answered,
  }
}

const LIST_CHANGED = 'notifications/tools/list_changed'

/** Announcements of a changed list. One that arrives before the first list was read is handled after it. */
class ListChanges {
  #isPending = false
  #refresh = () => {
    this.#isPending = true
  }

  announce(): void {
    this.#refresh()
  }

  follow(refresh: () => void): void {
    this.#refresh = refresh
    if (this.#isPending) refresh()
  }
}

type Prepared =
  | { readonly ok: true; readonly ready: Ready }
  | { readonly ok: false; readonly reason: string; readonly answered: boolean }

/** Adds the refusal to the reason if a server refused the handshake and then exited. */
function reasonOf(end: TransportEnd, spec: ProcessSpec, prepared: Prepared): string {
  const reason = describeEnd(end, spec, prepared.ok ? 'ready' : 'starting')
  const hasRefused = !prepared.ok && prepared.answered && end.kind !== 'broken'
  return hasRefused ? `${reason} Before that, ${prepared.reason}.` : reason
}

/** Starts the process, initializes it and lists its tools. */
async function prepare(transport: StdioTransport, deps: LifeDeps): Promise<Prepared> {
  transport.start()
  const handshake = await shakeHands(transport, deps.version)
  if (!handshake.ok) return handshake
  const { introduction } = handshake
  const tools = await list(transport, deps, introduction.hasTools ? deps.startMs : UNANNOUNCED_TOOLS_MS)
  if (tools.ok) return { ok: true, ready: { transport, introduction, list: tools } }
  if (introduction.hasTools) return { ok: false, reason: tools.reason, answered: true }
  return { ok: true, ready: { transport, introduction, list: NO_TOOLS } }
}

async function list(transport: StdioTransport, { system }: LifeDeps, withinMs: number): Promise<ToolList> {
  const abort = new AbortController()
  const cancelDeadline = system.schedule(withinMs, () => abort.abort())
  const tools = await listTools((params) => transport.call('tools/list', params, abort.signal))
  cancelDeadline()
  return tools
}
