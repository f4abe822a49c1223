import { type CatalogServer, cleanText, codes, isName, limits, unreachable } from '@bridgekeeper/protocol'
import type { ServerEntry } from '../config/entry.ts'
import type { ExchangeServers } from '../exchanges/server-port.ts'
import type { LocalCall, LocalOutcome, LocalTools } from '../local-tools.ts'
import { CatalogBudget } from './catalog-budget.ts'
import type { Instances } from './instance.ts'
import { LocalServer, type ServerDeps } from './local-server.ts'
import { StartGate } from './start-gate.ts'

/** Changes within this time, such as those of the start, are reported as one. */
const CHANGE_MS = 50
const HTTP_REASON =
  'It is reached over HTTP, which this version does not support; only servers with a "command" are started.'

/** Why a name has no instances. `reason` is for a person. */
export type InstancesFault =
  | { readonly code: 'server_not_found' }
  | { readonly code: 'server_unavailable'; readonly reason: string }

/** All local servers of an agent. */
export class ServerSet implements LocalTools, ExchangeServers {
  readonly #deps: ServerDeps
  readonly #servers = new Map<string, LocalServer>()
  /** Servers of the config file that are not run, each with its reason. */
  readonly #notRun: ReadonlyMap<string, string>
  #changePending = false

  /** Each name must occur once. */
  constructor(entries: readonly ServerEntry[], deps: ServerDeps) {
    this.#deps = deps
    const shared = { gate: new StartGate(deps.system), budget: new CatalogBudget() }
    const onChange = () => this.#changed()
    const notRun = new Map<string, string>()
    for (const entry of entries) {
      switch (entry.kind) {
        case 'stdio':
          this.#servers.set(entry.name, new LocalServer(entry, { ...deps, onChange }, shared))
          break
        case 'http':
          notRun.set(entry.name, HTTP_REASON)
          break
        case 'unusable':
          notRun.set(entry.name, cleanText(entry.error.message))
          break
        default:
          unreachable(entry)
      }
    }
    this.#notRun = notRun
  }

  start(): void {
    for (const [name, reason] of this.#notRun) {
      this.#deps.onEvent({ type: 'server-failed', name, reason, stderr: '', ignoredLines: 0 })
    }
    for (const server of this.#servers.values()) server.start()
  }

  /** Stops all servers. Resolves when every process group has ended. */
  async stop(): Promise<void> {
    await Promise.all([...this.#servers.values()].map((server) => server.stop()))
  }

  catalog(): readonly CatalogServer[] {
    const notRun = [...this.#notRun]
      .filter(([name]) => isName(name))
      .map(([name, reason]) => ({ state: 'failed' as const, name, reason }))
    const run = [...this.#servers.values()].map((server) => server.catalogEntry())
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

  #changed(): void {
    if (this.#changePending) return
    this.#changePending = true
    this.#deps.system.schedule(CHANGE_MS, () => {
      this.#changePending = false
      this.#deps.onChange()
    })
  }
}
