import { cleanText, type RawJson } from '@bridgekeeper/protocol'
import { Announcements } from './announcements.ts'
import { type Handshake, type Opening, shakeHands } from './handshake.ts'
import { Inbox, MAX_KEPT } from './inbox.ts'
import type { ServerMessage } from './instance.ts'
import { ProcessInstance } from './process-instance.ts'
import { describeEnd, isMissing } from './reasons.ts'
import { cutHider, hide } from './secrets.ts'
import type { ProcessSpec } from './server-process.ts'
import { StderrReader } from './stderr-reader.ts'
import { StdioTransport, type TransportDeps, type TransportEnd } from './stdio-transport.ts'

export interface RunDeps extends Omit<TransportDeps, 'onStderr' | 'onMessage' | 'hideCut'> {
  /** Time limit of the start. */
  readonly startMs: number
  readonly secrets: readonly string[]
  readonly onStderrLine: (line: string) => void
}

/** How one process of a local server ended. */
export interface RunEnd {
  readonly reason: string
  readonly stderr: string
  /** Lines on its standard output that were not messages. */
  readonly ignoredLines: number
  readonly missing: boolean
  readonly hasStarted: boolean
  /** Whether it answered `initialize` or `server/discover`, with a result or an error. */
  readonly answered: boolean
}

const METHOD_NOT_FOUND: RawJson = Buffer.from('{"code":-32601,"message":"Method not found"}')

/** One process of a local server, from its start to its end. */
export class ProcessRun {
  readonly transport: StdioTransport
  /** Resolves when the process is gone. */
  readonly ended: Promise<RunEnd>
  /** Called for each notification, before it is handed on. */
  onNotification: (method: string) => void = () => {}
  readonly #spec: ProcessSpec
  readonly #opening: Opening
  readonly #deps: RunDeps
  readonly #stderr: StderrReader
  readonly #inbox: Inbox
  readonly #announcements: Announcements
  readonly #cancelDeadline: () => void
  #handshake: Promise<Handshake> | undefined
  #isReady = false

  /** Starts the process. @param signal ends it */
  constructor(spec: ProcessSpec, opening: Opening, signal: AbortSignal, deps: RunDeps) {
    this.#spec = spec
    this.#opening = opening
    this.#deps = deps
    this.#stderr = new StderrReader(deps.secrets, deps.onStderrLine)
    // Nobody answers a server to which no capability was declared.
    const maxKept = opening.traits.length === 0 ? 0 : MAX_KEPT
    this.#inbox = new Inbox(maxKept, (id) => this.transport.answer(id, 'error', METHOD_NOT_FOUND))
    this.#announcements = new Announcements(deps.system, (message) => this.#inbox.take(message))
    this.transport = new StdioTransport(spec, {
      ...deps,
      onStderr: (chunk) => this.#stderr.push(chunk),
      onMessage: (message) => this.#take(message),
      hideCut: cutHider(deps.secrets),
    })
    const stop = () => void this.transport.close()
    signal.addEventListener('abort', stop, { once: true })
    this.#cancelDeadline = deps.system.schedule(deps.startMs, () =>
      this.transport.fail(`it was not ready within ${deps.startMs / 1_000} seconds`),
    )
    this.ended = this.transport.ended.then((end) => {
      signal.removeEventListener('abort', stop)
      this.#cancelDeadline()
      this.#announcements.end()
      return this.#describe(end)
    })
    this.transport.start()
  }

  initialize(): Promise<Handshake> {
    this.#handshake = shakeHands(this.transport, this.#opening)
    return this.#handshake
  }

  /** Ends the time limit of the start. @returns the process for requests */
  ready({ era, version, raw }: Extract<Handshake, { ok: true }>): ProcessInstance {
    this.#cancelDeadline()
    this.#isReady = true
    // Servers of the 2026 era get capabilities with each request.
    const traits = era === '2026' ? [] : this.#opening.traits
    return new ProcessInstance({ era, traits }, version, raw, this.transport, this.#inbox)
  }

  #take(message: ServerMessage): void {
    if (message.id === undefined) this.onNotification(message.method)
    this.#announcements.take(message)
  }

  async #describe(end: TransportEnd): Promise<RunEnd> {
    const handshake = await this.#handshake
    return {
      // Hides secrets before it cuts the text: a secret that was cut would not be found.
      reason: cleanText(hide(this.#reasonOf(end, handshake), this.#deps.secrets)),
      stderr: this.#stderr.tail(),
      ignoredLines: this.transport.ignoredLines,
      missing: isMissing(end),
      hasStarted: end.kind !== 'not-started',
      answered: handshake !== undefined && (handshake.ok || handshake.answered),
    }
  }

  /** Adds the refusal to the reason if a server refused the handshake and then exited. */
  #reasonOf(end: TransportEnd, handshake: Handshake | undefined): string {
    const reason = describeEnd(end, this.#spec, this.#isReady ? 'ready' : 'starting')
    const hasRefused = handshake?.ok === false && handshake.answered && end.kind !== 'broken'
    return hasRefused ? `${reason} Before that, ${handshake.reason}.` : reason
  }
}
