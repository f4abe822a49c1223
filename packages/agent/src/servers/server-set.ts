import { type CatalogServer, codes, unreachable } from '@bridgekeeper/protocol'
import type { ServerEntry } from '../config/entry.ts'
import type { CallOutcome, LocalTools, ToolCall } from '../outcome.ts'
import { LocalServer, type ServerDeps } from './local-server.ts'

/** Changes that come close together, such as those of the start, are told as one. */
const CHANGE_MS = 50
const HTTP_REASON =
  'It is reached over HTTP, which this version does not do; only servers with a "command" are run.'

/** All local servers of an agent. */
export class ServerSet implements LocalTools {
  readonly #deps: ServerDeps
  readonly #servers = new Map<string, LocalServer>()
  readonly #notRun: readonly string[]
  #changePending = false

  /** Each name must occur once. */
  constructor(entries: readonly ServerEntry[], deps: ServerDeps) {
    this.#deps = deps
    const notRun: string[] = []
    for (const entry of entries) {
      switch (entry.kind) {
        case 'stdio':
          this.#servers.set(entry.name, new LocalServer(entry, { ...deps, onChange: () => this.#changed() }))
          break
        case 'http':
          notRun.push(entry.name)
          break
        default:
          unreachable(entry)
      }
    }
    this.#notRun = notRun
  }

  start(): void {
    for (const name of this.#notRun) {
      this.#deps.onEvent({ type: 'server-failed', name, reason: HTTP_REASON, stderr: '', ignoredLines: 0 })
    }
    for (const server of this.#servers.values()) server.start()
  }

  /** Resolves when every process group is gone. */
  async stop(): Promise<void> {
    await Promise.all([...this.#servers.values()].map((server) => server.stop()))
  }

  catalog(): readonly CatalogServer[] {
    return [
      ...[...this.#servers.values()].map((server) => server.catalogEntry()),
      ...this.#notRun.map((name) => ({ state: 'failed' as const, name, reason: HTTP_REASON })),
    ]
  }

  async call({ serverName, toolName, rawArgs, signal }: ToolCall): Promise<CallOutcome> {
    const server = this.#servers.get(serverName)
    if (server !== undefined) return server.call(toolName, rawArgs, signal)
    if (this.#notRun.includes(serverName)) {
      return {
        ok: false,
        code: 'server_unavailable',
        error: `${codes.server_unavailable.message} ${HTTP_REASON}`,
      }
    }
    return { ok: false, code: 'server_not_found', error: codes.server_not_found.message }
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
