import type { ServerEntry } from './config/entry.ts'
import { EventSampler } from './event-sampler.ts'
import type { AgentEvent } from './events.ts'
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
   * rejects with an `AgentError`, the agent gives up; after any other rejection it retries.
   */
  readonly token: (spent?: string) => string | Promise<string>
  /**
   * Returns the enrolled machine for each proof of its key. Without it, the agent answers challenges with the
   * echo, if the bridge allows that. If it rejects with an `AgentError`, the agent gives up.
   */
  readonly device?: () => DeviceIdentity | Promise<DeviceIdentity>
  /** Entries that `readConfig` returned. */
  readonly servers: readonly ServerEntry[]
  /** Must not throw. Gets at most 100 events of a kind within 10 seconds, and the number of the others. */
  readonly onEvent?: (event: AgentEvent) => void
  /** In place of the token's claims `sub` and `sid`. */
  readonly userId?: string
  readonly sessionId?: string
  /** Lets the token cross a network without TLS. */
  readonly allowInsecure?: boolean
  /**
   * Limit from the start of a server to its list of tools, unless its entry sets one. The default is 2
   * minutes, and 10 for commands that may install something first, such as `npx`.
   */
  readonly startMs?: number
  /** Source of the few variables that every server gets; default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly system?: System
}

export interface Agent {
  /**
   * Runs the local servers and keeps the connection to the bridge until the signal aborts, then
   * resolves when both have ended. May be called once.
   *
   * @throws AgentError when trying again would not help; the local servers are ended then, too
   */
  run(signal: AbortSignal): Promise<void>
}

/**
 * Makes an agent; nothing is started yet.
 *
 * @throws AgentError `url_invalid`, `url_credentials`, `url_insecure`
 */
export function createAgent(options: AgentOptions): Agent {
  const url = bridgeUrl(options.url, options.allowInsecure ?? false)
  return { run: (signal) => run(url, options, signal) }
}

async function run(url: string, options: AgentOptions, signal: AbortSignal): Promise<void> {
  const { token, device, userId, sessionId, system = realSystem } = options
  const events = new EventSampler(system, options.onEvent ?? (() => {}))
  const onEvent = events.take
  const reaper = new Reaper(system)
  const servers = new ServerSet(options.servers, {
    ...{ system, reaper, onEvent, processes: realProcesses },
    agentEnv: options.env ?? process.env,
    startMs: options.startMs,
    stopTimes: STOP_TIMES,
    onChange: () => link.catalogChanged(),
  })
  const link = new Link({
    ...{ url, token, device, system, onEvent },
    claims: { ...(userId !== undefined && { userId }), ...(sessionId !== undefined && { sessionId }) },
    tools: servers,
  })

  servers.start()
  try {
    await link.run(signal)
  } finally {
    await servers.stop()
    reaper.close()
    events.close()
  }
}
