import type { ServerEvent } from '../events.ts'
import { PROTOCOL_VERSIONS } from './handshake.ts'
import type { InstanceFault, InstanceKey } from './instance.ts'
import type { ProcessInstance } from './process-instance.ts'
import { ProcessRun, type RunDeps } from './process-run.ts'
import type { ProcessSpec } from './server-process.ts'
import type { StartGate } from './start-gate.ts'

/** Limit for a server to show that it speaks the 2026 era; one of the 2025 era may stay silent. */
const DISCOVERY_MS = 15_000

export interface StarterDeps extends RunDeps {
  readonly name: string
  readonly spec: ProcessSpec
  readonly gate: StartGate
  readonly mayInstall: boolean
  readonly onEvent: (event: ServerEvent) => void
}

/** Starts further processes of one local server, whose first process is ready. */
export class InstanceStarter {
  readonly #deps: StarterDeps
  readonly #processes = new Set<Promise<unknown>>()

  constructor(deps: StarterDeps) {
    this.#deps = deps
  }

  /**
   * Starts and initializes one process. Reports a failure, but not that the server does not speak the era.
   *
   * @param version that `initialize` offers
   * @param signal ends the process
   */
  async start(
    key: InstanceKey,
    version: string | undefined,
    signal: AbortSignal,
  ): Promise<ProcessInstance | InstanceFault> {
    const { gate, mayInstall, spec, startMs } = this.#deps
    const leaveGate = await gate.enter(mayInstall, signal)
    if (signal.aborted) return stopped
    const opening = {
      eras: [key.era],
      version: PROTOCOL_VERSIONS.find((known) => known === version) ?? PROTOCOL_VERSIONS[0],
      traits: key.traits,
    }
    const limitMs = key.era === '2026' ? Math.min(startMs, DISCOVERY_MS) : startMs
    const run = new ProcessRun(spec, opening, signal, { ...this.#deps, startMs: limitMs })
    this.#track(run.ended)
    const handshake = await run.initialize()
    leaveGate()
    if (handshake.ok) {
      const instance = run.ready(handshake)
      void this.#reportEnd(run, () => instance.isClosing || signal.aborted)
      return instance
    }
    run.transport.fail(handshake.reason)
    if (key.era === '2026' && handshake.answered) return notSpoken
    const { hasStarted, reason } = await run.ended
    if (signal.aborted) return stopped
    if (key.era === '2026' && hasStarted) return notSpoken
    await this.#reportEnd(run, () => false)
    return { fault: 'unavailable', reason }
  }

  /** Resolves when all processes are gone. End them first. */
  async ended(): Promise<void> {
    await Promise.all(this.#processes)
  }

  #track(ended: Promise<unknown>): void {
    this.#processes.add(ended)
    void ended.then(() => this.#processes.delete(ended))
  }

  async #reportEnd(run: ProcessRun, isWanted: () => boolean): Promise<void> {
    const { reason, stderr, ignoredLines } = await run.ended
    if (isWanted()) return
    this.#deps.onEvent({
      type: 'server-instance-failed',
      ...{ name: this.#deps.name, reason, stderr, ignoredLines },
    })
  }
}

const stopped: InstanceFault = { fault: 'unavailable', reason: 'It was stopped.' }
const notSpoken: InstanceFault = { fault: 'era' }
