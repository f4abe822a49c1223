import {
  type CatalogServer,
  type CatalogTool,
  cleanText,
  ERAS,
  type Json,
  parseJson,
  type ReadyServer,
  unreachable,
  valueAt,
} from '@bridgekeeper/protocol'
import { backoffMs } from '../backoff.ts'
import type { StdioEntry } from '../config/entry.ts'
import type { ServerEvent } from '../events.ts'
import type { ExchangeServer, RootsPolicy } from '../exchanges/server-port.ts'
import type { HeldBytes } from '../held-bytes.ts'
import type { LocalCall, LocalOutcome } from '../local-tools.ts'
import { pause, type System } from '../system.ts'
import type { CatalogBudget } from './catalog-budget.ts'
import { serverEnvironment } from './environment.ts'
import type { Opening } from './handshake.ts'
import type { Instance, InstanceFault } from './instance.ts'
import { InstanceStarter } from './instance-starter.ts'
import { openings } from './openings.ts'
import type { ProcessInstance } from './process-instance.ts'
import type { RunDeps } from './process-run.ts'
import type { Reaper } from './reaper.ts'
import { hide } from './secrets.ts'
import { ServerInstances } from './server-instances.ts'
import { type LifeEnd, live, type Ready } from './server-life.ts'
import type { Processes, ProcessSpec, StopTimes } from './server-process.ts'
import { ServerReports } from './server-reports.ts'
import type { StartGate } from './start-gate.ts'
import { mayNeedInstall, startLimitMs } from './start-limit.ts'
import { failure, localOutcome, toolCallParams } from './tool-call.ts'
import type { ToolList } from './tools.ts'

type ServerState =
  | { readonly state: 'starting' }
  | ({ readonly state: 'ready' } & Ready)
  /** The server runs, but the catalog has no room for its tools. */
  | { readonly state: 'unlisted'; readonly reason: string; readonly ready: Ready }
  | { readonly state: 'failed'; readonly reason: string }
  | { readonly state: 'stopped' }

export interface ServerDeps {
  readonly system: System
  readonly reaper: Reaper
  readonly processes: Processes
  readonly agentEnv: Readonly<Record<string, string | undefined>>
  /** Start limit of servers that set none; without it, the limit depends on the command. */
  readonly startMs?: number | undefined
  readonly stopTimes: StopTimes
  /** Memory for long lines. */
  readonly held: HeldBytes
  readonly onEvent: (event: ServerEvent) => void
  /** Called when the server's catalog entry has changed. */
  readonly onChange: () => void
  /** Called with each first process of a server, which may ask for something at once. */
  readonly onFirst: (server: ExchangeServer, instance: Instance) => void
}

const HEALTHY_MS = 60_000
const MISSING_RETRY_MS = 30_000

/** Common to all servers of an agent. */
export interface SharedParts {
  readonly gate: StartGate
  readonly budget: CatalogBudget
}

/**
 * A local server, kept running from `start` to `stop`. Its first process gives the catalog entry and is restarted
 * if it exits; others depend on it.
 */
export class LocalServer implements ExchangeServer {
  readonly name: string
  readonly instances: ServerInstances
  readonly roots: RootsPolicy
  readonly #secrets: readonly string[]
  readonly #spec: ProcessSpec
  readonly #deps: ServerDeps
  readonly #runDeps: RunDeps
  readonly #shared: SharedParts
  readonly #mayInstall: boolean
  readonly #reports: ServerReports
  readonly #openings: readonly [Opening, ...Opening[]]
  readonly #stopping = new AbortController()
  readonly #started = Promise.withResolvers<void>()
  #state: ServerState = { state: 'starting' }
  #running: Promise<void> = Promise.resolve()
  /** Starts that the server left without an answer. */
  #unanswered = 0

  constructor(entry: StdioEntry, deps: ServerDeps, shared: SharedParts) {
    const { name, command, args, cwd, era } = entry
    const { env, secrets } = serverEnvironment(deps.agentEnv, entry, process.platform)
    this.name = name
    this.roots = rootsPolicy(entry)
    this.#deps = deps
    this.#shared = shared
    this.#mayInstall = mayNeedInstall(entry)
    this.#secrets = [...entry.secrets, ...secrets]
    this.#spec = { command, args, env, ...(cwd !== undefined && { cwd }) }
    // The agent answers for roots of the config file, so every process may ask for them.
    this.#openings = openings(era, this.roots.kind === 'fixed' ? ['roots'] : [])
    this.#runDeps = {
      ...deps,
      startMs: startLimitMs(entry, deps.startMs),
      secrets: this.#secrets,
      onStderrLine: (text) => deps.onEvent({ type: 'server-stderr', name, text }),
      onIgnored: (reason, text) => deps.onEvent({ type: 'server-output-ignored', name, reason, text }),
    }
    const { system, onEvent } = deps
    const { startMs, secrets: hidden } = this.#runDeps
    this.#reports = new ServerReports({
      name,
      system,
      startMs,
      mayInstall: this.#mayInstall,
      secrets: hidden,
      onEvent,
    })
    this.instances = new ServerInstances({
      ...{ system: deps.system, era, onEras: () => deps.onChange(), first: () => this.#first() },
      starter: new InstanceStarter({
        ...this.#runDeps,
        ...{ name, spec: this.#spec, gate: shared.gate, mayInstall: this.#mayInstall, onEvent: deps.onEvent },
      }),
    })
  }

  /** @param before is awaited first, such as the end of the server that it replaces */
  start(before?: Promise<unknown>): void {
    this.#running = before === undefined ? this.#keepRunning() : before.then(() => this.#keepRunning())
  }

  /** Stops the server. Resolves when its process group has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all([this.#running, this.instances.stop()])
  }

  catalogEntry(): CatalogServer {
    const { name } = this
    const state = this.#state
    switch (state.state) {
      case 'starting':
        return { state: 'starting', name }
      case 'ready':
        return this.#entry(state)
      case 'unlisted':
      case 'failed':
        return { state: 'failed', name, reason: cleanText(state.reason) }
      case 'stopped':
        return { state: 'failed', name, reason: 'It was stopped.' }
      default:
        return unreachable(state)
    }
  }

  inputSchema(toolName: string): Json | undefined {
    const state = this.#state
    if (state.state !== 'ready') return undefined
    const tool = state.list.tools.find(({ name }) => name === toolName)
    const schema = tool && valueAt(Buffer.from(tool.definition), ['inputSchema'])
    return schema && parseJson(schema.toString('utf8'))?.value
  }

  hideSecrets(text: string): string {
    return hide(text, this.#secrets)
  }

  /** Runs one tool; never rejects. */
  async call(call: LocalCall): Promise<LocalOutcome> {
    const state = this.#state
    if (state.state !== 'ready') {
      return failure('server_unavailable', 'reason' in state ? state.reason : `It is ${state.state}.`)
    }
    const { instance } = state
    const { era } = instance.key
    return localOutcome(await instance.shortCall(toolCallParams(call, era), call.signal), era)
  }

  /** The first process, once its start has succeeded or failed. */
  async #first(): Promise<ProcessInstance | InstanceFault> {
    await this.#started.promise
    if (this.#stopping.signal.aborted) return { fault: 'unavailable', reason: 'It was stopped.' }
    const state = this.#state
    if (state.state === 'ready') return state.instance
    return { fault: 'unavailable', reason: 'reason' in state ? state.reason : `It is ${state.state}.` }
  }

  async #keepRunning(): Promise<void> {
    const { signal } = this.#stopping
    const { system } = this.#deps
    let attempt = 0
    while (!signal.aborted) {
      const leaveGate = await this.#shared.gate.enter(this.#mayInstall, signal)
      const end = signal.aborted ? undefined : await this.#live(leaveGate)
      leaveGate()
      this.#shared.budget.free(this.name)
      if (end === undefined || signal.aborted) break
      if (!end.answered && !end.missing) this.#unanswered++
      if (end.readyForMs !== undefined && end.readyForMs >= HEALTHY_MS) attempt = 0
      const retryInMs = end.missing ? MISSING_RETRY_MS : backoffMs(attempt, system.random)
      attempt++
      this.#setState({ state: 'failed', reason: end.reason })
      this.#reports.ended(end, retryInMs)
      await pause(system, retryInMs, signal)
    }
    this.#setState({ state: 'stopped' })
  }

  /** @param leaveGate lets the next server start */
  async #live(leaveGate: () => void): Promise<LifeEnd> {
    const stopReports = this.#reports.starting()
    const end = await live(
      this.#spec,
      this.#openings[this.#unanswered % this.#openings.length] ?? this.#openings[0],
      this.#stopping.signal,
      {
        onReady: (ready) => {
          stopReports()
          leaveGate()
          this.instances.begin(ready.instance)
          this.#deps.onFirst(this, ready.instance)
          if (this.#list(ready)) this.#reports.ready(ready.list)
        },
        onTools: (list) => this.#replaceTools(list),
      },
      this.#runDeps,
    )
    stopReports()
    this.instances.reset()
    return end
  }

  #replaceTools(list: ToolList): void {
    const ready = this.#state.state === 'unlisted' ? this.#state.ready : this.#state
    if (!('list' in ready)) return
    if (!list.ok) return this.#reports.toolsUnread(list.reason)
    if (sameTools(ready.list.tools, list.tools)) return
    if (this.#list({ ...ready, list })) this.#reports.toolsChanged(list)
  }

  /** Adds the server to the catalog. @returns `false`, after a report, if the catalog has no room */
  #list(ready: Ready): boolean {
    const reason = this.#shared.budget.take(this.#entry(ready))
    if (reason === undefined) {
      this.#setState({ state: 'ready', ...ready })
      return true
    }
    this.#setState({ state: 'unlisted', reason, ready })
    this.#reports.unlisted(reason)
    return false
  }

  #setState(state: ServerState): void {
    this.#state = state
    this.#started.resolve()
    this.#deps.onChange()
  }

  #entry({ introduction, list }: Ready): ReadyServer {
    const { serverInfo, instructions, capabilities } = introduction
    return {
      ...{ state: 'ready', name: this.name, serverInfo },
      ...(instructions !== undefined && { instructions }),
      capabilities,
      eras: ERAS.filter((era) => this.instances.eras[era] === true),
      tools: [...list.tools],
    }
  }
}

function rootsPolicy({ roots, clientRoots }: StdioEntry): RootsPolicy {
  if (roots !== undefined) return { kind: 'fixed', uris: roots }
  return { kind: clientRoots === true ? 'client' : 'none' }
}

/** Compares hashes, since some servers announce a change after every start although nothing changed. */
function sameTools(one: readonly CatalogTool[], other: readonly CatalogTool[]): boolean {
  return one.length === other.length && one.every(({ hash }, at) => hash === other[at]?.hash)
}
