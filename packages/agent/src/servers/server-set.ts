import { type CatalogServer, cleanText, codes, isName, limits, unreachable } from '@bridgekeeper/protocol'
import type { ServerEntry } from '../config/entry.ts'
import type { ConfigEvent, ServerEvent } from '../events.ts'
import type { ExchangeServer, ExchangeServers } from '../exchanges/server-port.ts'
import type { LocalCall, LocalOutcome, LocalTools } from '../local-tools.ts'
import { CatalogBudget } from './catalog-budget.ts'
import { changesOf } from './entry-changes.ts'
import type { Instances } from './instance.ts'
import { LocalServer, type ServerDeps, type SharedParts } from './local-server.ts'
import { StartGate } from './start-gate.ts'

/** Changes within this time, such as those of the start, are reported as one. */
const CHANGE_MS = 50
const HTTP_REASON =
  'It is reached over HTTP, which this version does not support; only servers with a "command" are started.'

/** Why a name has no instances. `reason` is for a person. */
export type InstancesFault =
  | { readonly code: 'server_not_found' }
  | { readonly code: 'server_unavailable'; readonly reason: string }

export interface SetDeps extends ServerDeps {
  readonly onEvent: (event: ServerEvent | ConfigEvent) => void
  /** A server is being stopped, because its entry was removed or changed. @param next runs instead of it */
  readonly onStopped: (name: string, next: ExchangeServer | undefined) => void
}

/** All local servers of an agent. */
export class ServerSet implements LocalTools, ExchangeServers {
  readonly #deps: SetDeps
  readonly #shared: SharedParts
  #entries: ReadonlyMap<string, ServerEntry> = new Map()
  readonly #servers = new Map<string, LocalServer>()
  /** Servers of the config file that are not run, each with its reason. */
  readonly #notRun = new Map<string, string>()
  /** Servers that were replaced or removed, until they have ended. */
  readonly #ending = new Map<string, Promise<unknown>>()
  #state: 'new' | 'running' | 'stopped' = 'new'
  #changePending = false

  /** Each name must occur once. */
  constructor(entries: readonly ServerEntry[], deps: SetDeps) {
    this.#deps = deps
    this.#shared = { gate: new StartGate(deps.system), budget: new CatalogBudget() }
    this.replace(entries)
  }

  start(): void {
    this.#state = 'running'
    for (const name of this.#entries.keys()) this.#start(name)
  }

  /** Stops all servers. Resolves when every process group has ended. */
  async stop(): Promise<void> {
    this.#state = 'stopped'
    await Promise.all([
      ...this.#ending.values(),
      ...[...this.#servers.values()].map((server) => server.stop()),
    ])
  }

  /**
   * Replaces the entries, and reports it: servers with an equal entry keep running, the others are stopped, and
   * started if they have a new entry. Does nothing once all are stopped.
   *
   * @param entries each name must occur once
   */
  replace(entries: readonly ServerEntry[]): void {
    if (this.#state === 'stopped') return
    const next = new Map(entries.map((entry) => [entry.name, entry]))
    const { added, removed, changed } = changesOf(this.#entries, next)
    this.#entries = next
    for (const name of [...removed, ...changed]) this.#drop(name)
    for (const name of [...added, ...changed]) this.#add(name)
    for (const name of [...removed, ...changed]) this.#deps.onStopped(name, this.#servers.get(name))
    if (this.#state === 'new') return
    this.#deps.onEvent({ type: 'config-changed', added, removed, changed })
    for (const name of [...added, ...changed]) this.#start(name)
    this.#changed()
  }

  catalog(): readonly CatalogServer[] {
    const notRun = [...this.#notRun]
      .filter(([name]) => isName(name))
      .map(([name, reason]) => ({ state: 'failed' as const, name, reason }))
    const run = [...this.#entries.keys()].flatMap((name) => this.#servers.get(name)?.catalogEntry() ?? [])
    return [...run, ...notRun].slice(0, limits.serversPerAgent)
  }

  async call(call: LocalCall): Promise<LocalOutcome> {
    const { serverName } = call
    const server = this.#servers.get(serverName)
    if (server !== undefined) return server.call(call)
    const reason = this.#notRun.get(serverName)
    if (reason !== undefined) {
      const error = cleanText(`${codes.server_unavailable.message} ${reason}`)
      return { ok: false, code: 'server_unavailable', error }
    }
    return { ok: false, code: 'server_not_found', error: codes.server_not_found.message }
  }

  /** The instances of a server. @returns why there are none, for an entry that is not run or unknown */
  instances(serverName: string): Instances | InstancesFault {
    const server = this.#servers.get(serverName)
    if (server !== undefined) return server.instances
    const reason = this.#notRun.get(serverName)
    return reason === undefined ? { code: 'server_not_found' } : { code: 'server_unavailable', reason }
  }

  /** A server for exchanges. @returns why it cannot run, `undefined` for an unknown name */
  find(serverName: string): LocalServer | string | undefined {
    return this.#servers.get(serverName) ?? this.#notRun.get(serverName)
  }

  #add(name: string): void {
    const entry = this.#entries.get(name)
    switch (entry?.kind) {
      case undefined:
        return
      case 'stdio': {
        const deps = { ...this.#deps, onChange: () => this.#changed() }
        this.#servers.set(name, new LocalServer(entry, deps, this.#shared))
        return
      }
      case 'http':
        this.#notRun.set(name, HTTP_REASON)
        return
      case 'unusable':
        this.#notRun.set(name, cleanText(`${entry.error.message} ${entry.error.next}`).trim())
        return
      default:
        unreachable(entry)
    }
  }

  #start(name: string): void {
    const reason = this.#notRun.get(name)
    if (reason === undefined) this.#servers.get(name)?.start(this.#ending.get(name))
    else this.#deps.onEvent({ type: 'server-failed', name, reason, stderr: '', ignoredLines: 0 })
  }

  #drop(name: string): void {
    this.#notRun.delete(name)
    const server = this.#servers.get(name)
    this.#servers.delete(name)
    if (server === undefined) return
    // This also waits for the server that it replaced, because its start does.
    const ended = server.stop()
    this.#ending.set(name, ended)
    void ended.then(() => {
      if (this.#ending.get(name) === ended) this.#ending.delete(name)
    })
  }

  #changed(): void {
    if (this.#changePending) return
    this.#changePending = true
    this.#deps.system.schedule(CHANGE_MS, () => {
      this.#changePending = false
      this.#deps.onChange()
    })
  }
}
