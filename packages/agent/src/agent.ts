import type { ServerEntry } from './config/entry.ts'
import { EventSampler } from './event-sampler.ts'
import type { AgentEvent } from './events.ts'
import { OpenExchanges } from './exchanges/open-exchanges.ts'
import { SessionFile } from './exchanges/session-file.ts'
import { HeldBytes } from './held-bytes.ts'
import { bridgeUrl } from './link/bridge-url.ts'
import type { DeviceIdentity } from './link/device-identity.ts'
import { Link } from './link/link.ts'
import { Reaper } from './servers/reaper.ts'
import { realProcesses, STOP_TIMES } from './servers/server-process.ts'
import { ServerSet } from './servers/server-set.ts'
import { realSystem, type System } from './system.ts'

export interface AgentOptions {
  /** The bridge's web address, or its endpoint: `https://bridge.example.com`. */
  readonly url: string
  /**
   * Returns the token for each connection attempt, given the token that the bridge called expired. If it
   * rejects with an `AgentError`, the agent gives up; after any other rejection it retries. The user sees the message
   * of a `TokenUnavailable`, and of no other rejection.
   */
  readonly token: (spent?: string) => string | Promise<string>
  /**
   * Returns the enrolled machine for each proof of its key. Without it, the agent answers challenges with the
   * echo, if the bridge allows that. If it rejects with an `AgentError`, the agent gives up.
   */
  readonly device?: () => DeviceIdentity | Promise<DeviceIdentity>
  /** Entries that `readConfig` returned. */
  readonly servers: readonly ServerEntry[]
  /** Must not throw. Receives at most 100 events of a kind within 10 seconds, then one event that counts the rest. */
  readonly onEvent?: (event: AgentEvent) => void
  /** Override the token's claims `sub` and `sid`. */
  readonly userId?: string
  readonly sessionId?: string
  /** Allows a bridge on another host without TLS, which sends the token in clear text. */
  readonly allowInsecure?: boolean
  /**
   * Time limit from the start of a server to its list of tools, if its entry sets none. Defaults to 2
   * minutes, or 10 for commands that may install something first, such as `npx`.
   */
  readonly startMs?: number
  /** Environment from which servers inherit a few allowlisted variables; defaults to `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /**
   * File for what outlives the agent of MCP sessions, from `Keychain.sessionFile`. Without it, they are forgotten
   * when it ends. No other agent may use the same file.
   */
  readonly sessionFile?: string
  readonly system?: System
}

export interface Agent {
  /**
   * Runs the local servers and keeps the connection to the bridge until the signal aborts, then resolves when
   * both have ended. May be called once.
   *
   * @throws AgentError if a retry cannot help, after it has stopped the local servers
   */
  run(signal: AbortSignal): Promise<void>
  /**
   * Replaces the entries. Servers with an equal entry keep running. The others stop, and start if they have a new
   * entry. Requests to a server that stops end with `server_exited`. While the agent runs, it reports
   * `config-changed`.
   *
   * @param servers each name must occur once
   */
  setServers(servers: readonly ServerEntry[]): void
}

/**
 * Creates an agent without starting it.
 *
 * @throws AgentError `url_invalid`, `url_credentials`, `url_insecure`
 */
export function createAgent(options: AgentOptions): Agent {
  const url = bridgeUrl(options.url, options.allowInsecure ?? false)
  return new LocalAgent(url, options)
}

class LocalAgent implements Agent {
  readonly #url: string
  readonly #options: AgentOptions
  readonly #system: System
  readonly #events: EventSampler
  #entries: readonly ServerEntry[]
  /** While it runs. */
  #servers: ServerSet | undefined

  constructor(url: string, options: AgentOptions) {
    this.#url = url
    this.#options = options
    this.#system = options.system ?? realSystem
    this.#events = new EventSampler(this.#system, options.onEvent ?? (() => {}))
    this.#entries = options.servers
  }

  setServers(entries: readonly ServerEntry[]): void {
    this.#entries = entries
    this.#servers?.replace(entries)
  }

  async run(signal: AbortSignal): Promise<void> {
    const system = this.#system
    const onEvent = this.#events.take
    const { token, device, userId, sessionId } = this.#options
    const reaper = new Reaper(system)
    const servers = new ServerSet(this.#entries, {
      ...{ system, reaper, onEvent, processes: realProcesses },
      agentEnv: this.#options.env ?? process.env,
      startMs: this.#options.startMs,
      stopTimes: STOP_TIMES,
      held: new HeldBytes(),
      onChange: () => link.catalogChanged(),
      onFirst: (server, instance) => exchanges.adopt(server, instance),
      onStopped: (name, next) => exchanges.serverStopped(name, next),
    })
    const sessionFile = new SessionFile({ system, path: this.#options.sessionFile, onEvent })
    const exchanges = new OpenExchanges({ system, servers, sessionFile, onEvent })
    const link = new Link({
      ...{ url: this.#url, token, device, system, onEvent },
      claims: { ...(userId !== undefined && { userId }), ...(sessionId !== undefined && { sessionId }) },
      tools: servers,
      exchanges,
    })

    this.#servers = servers
    servers.start()
    try {
      await sessionFile.load()
      await link.run(signal)
    } finally {
      await servers.stop()
      await sessionFile.flush()
      reaper.close()
      this.#events.close()
    }
  }
}
