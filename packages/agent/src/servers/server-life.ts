import { toJson } from '@bridgekeeper/protocol'
import { coalesce } from '../coalesce.ts'
import { pause } from '../system.ts'
import { withEnvelope } from './envelope.ts'
import type { Handshake, Opening } from './handshake.ts'
import type { Introduction } from './introduction.ts'
import type { ProcessInstance } from './process-instance.ts'
import { ProcessRun, type RunDeps, type RunEnd } from './process-run.ts'
import type { ProcessSpec } from './server-process.ts'
import { listTools, NO_TOOLS, type ToolList } from './tools.ts'

/** A ready server: its introduction, and the way to call it. */
export interface Ready {
  readonly instance: ProcessInstance
  readonly introduction: Introduction
  readonly list: Extract<ToolList, { ok: true }>
}

export interface LifeHandlers {
  readonly onReady: (ready: Ready) => void
  /** Receives the new list of tools after the server reported a change. */
  readonly onTools: (list: ToolList) => void
}

/** Outcome of the first process of a local server. */
export interface LifeEnd extends RunEnd {
  readonly readyForMs: number | undefined
}

/** Limit for listing the tools of a server that does not announce any. */
const UNANNOUNCED_TOOLS_MS = 3_000
/** Minimum time between two readings of a changed list, however fast the server announces changes. */
export const RELIST_MS = 1_000
/** Pauses before a refused list is requested again. Some servers refuse it until they have loaded or logged in. */
const REFUSED_PAUSES_MS = [250, 1_000, 2_000] as const
const LIST_CHANGED = 'notifications/tools/list_changed'

/** Runs the first process of a local server, whose tools it lists, until it has ended. Never rejects. */
export async function live(
  spec: ProcessSpec,
  opening: Opening,
  signal: AbortSignal,
  handlers: LifeHandlers,
  deps: RunDeps,
): Promise<LifeEnd> {
  const { system, startMs } = deps
  const changes = new ListChanges()
  const run = new ProcessRun(spec, opening, signal, deps)
  run.onNotification = (method) => {
    if (method === LIST_CHANGED) changes.announce()
  }
  const prepared = await prepare(run, signal, deps)
  if (!prepared.ok) run.transport.fail(prepared.reason)
  const readySinceMs = prepared.ok ? system.monotonicMs() : undefined
  if (prepared.ok) {
    const { handshake, list } = prepared
    handlers.onReady({ instance: run.ready(handshake), introduction: handshake.introduction, list })
    if (handshake.era === '2026') listen(run, signal)
    changes.follow(
      coalesce(async () => {
        const tools = await listWithin(run, handshake, startMs, deps)
        if (run.transport.isRunning) handlers.onTools(tools)
        await pause(system, RELIST_MS, signal)
      }),
    )
  }
  const end = await run.ended
  const readyForMs = readySinceMs === undefined ? undefined : system.monotonicMs() - readySinceMs
  return { ...end, readyForMs }
}

/** Subscribes to changes of the tools: a server of the 2026 era announces none otherwise. */
function listen({ transport }: ProcessRun, signal: AbortSignal): void {
  const params = withEnvelope({ notifications: { toolsListChanged: true } })
  void transport.call('subscriptions/listen', params, signal)
}

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

type Introduced = Extract<Handshake, { ok: true }>

type Prepared =
  | { readonly ok: true; readonly handshake: Introduced; readonly list: Ready['list'] }
  | { readonly ok: false; readonly reason: string }

/** Initializes the server and lists its tools. */
async function prepare(run: ProcessRun, signal: AbortSignal, deps: RunDeps): Promise<Prepared> {
  const handshake = await run.initialize()
  if (!handshake.ok) return handshake
  const { hasTools } = handshake.introduction
  const listing = () => listWithin(run, handshake, hasTools ? deps.startMs : UNANNOUNCED_TOOLS_MS, deps)
  let list = await listing()
  for (const pauseMs of hasTools ? REFUSED_PAUSES_MS : []) {
    if (list.ok || list.isRefused !== true || !run.transport.isRunning) break
    await pause(deps.system, pauseMs, signal)
    list = await listing()
  }
  if (list.ok) return { ok: true, handshake, list }
  return hasTools ? list : { ok: true, handshake, list: NO_TOOLS }
}

async function listWithin(
  { transport }: ProcessRun,
  { era }: Introduced,
  withinMs: number,
  { system }: RunDeps,
): Promise<ToolList> {
  const abort = new AbortController()
  const cancelDeadline = system.schedule(withinMs, () => abort.abort())
  const tools = await listTools((cursor) => {
    const params = era === '2026' ? withEnvelope(cursor) : toJson(cursor)
    return transport.call('tools/list', params, abort.signal)
  })
  cancelDeadline()
  return tools
}
