import { BridgeError, discard, type Payload } from '@bridgekeeper/protocol'
import { failedEnd } from '../exchanges/end-of.ts'
import type { ExchangeEnd, ExchangeReader, OpenExchange, Opening } from '../exchanges/exchange.ts'
import type { OpenRequest } from './open-request.ts'
import { HOLD_MS, type StreamParts } from './server-streams.ts'
import type { ToolView } from './tool-view.ts'

interface FirstStreamParts {
  readonly open: OpenRequest
  readonly parts: StreamParts
  readonly view: ToolView
  readonly openingFor: (serverName: string) => Opening
  readonly reader: ExchangeReader
}

/**
 * [AGG.11] Asks several servers for the stream that one of them has. The first that accepts it is read. [STREAM.11]
 * Servers of machines that are away are asked when they come back.
 */
export function openFirst(facts: FirstStreamParts): OpenExchange {
  const stream = new FirstStream(facts)
  stream.begin()
  return stream
}

class FirstStream implements OpenExchange {
  readonly #facts: FirstStreamParts
  readonly #running = new Map<string, Runner>()
  #winner: Runner | undefined
  /** The reason of the last server that refused. */
  #refusal: ExchangeEnd | undefined
  /** Whether it waits for no further machine. */
  #isOver = false
  #stopWaiting = (): void => {}

  constructor(facts: FirstStreamParts) {
    this.#facts = facts
  }

  get id(): string | undefined {
    return this.#winner?.exchange?.id
  }

  begin(): void {
    const { open, parts } = this.#facts
    const stopWatch = parts.directory.watch(open.caller.userId, () => this.#ask())
    const cancelTimer = parts.system.after(HOLD_MS, () => {
      stopWatch()
      this.#isOver = true
      this.#settle()
    })
    this.#stopWaiting = () => {
      stopWatch()
      cancelTimer()
    }
    this.#ask()
  }

  /** @returns whether this one is read */
  wins(runner: Runner): boolean {
    if (this.#winner !== undefined) return this.#winner === runner
    this.#winner = runner
    this.#stopWaiting()
    for (const other of this.#running.values()) if (other !== runner) other.exchange?.cancel()
    return true
  }

  ended(serverName: string, runner: Runner, end: ExchangeEnd): void {
    this.#running.delete(serverName)
    const isRefused = end.kind !== 'answered' || end.status !== 200
    if (this.#winner === undefined && isRefused) {
      if (end.kind !== 'cut') this.#refusal = end
      return this.#settle()
    }
    if (this.wins(runner)) this.#facts.reader.ended(end)
    else if (end.kind === 'answered' && end.message !== undefined) discard(end.message)
  }

  cancel(): void {
    this.#stopWaiting()
    for (const { exchange } of this.#running.values()) exchange?.cancel()
  }

  detach(): void {
    this.#stopWaiting()
    for (const { exchange } of this.#running.values()) exchange?.detach()
  }

  done(): void {
    this.#winner?.exchange?.done()
  }

  #ask(): void {
    const { open, parts, view, openingFor, reader } = this.#facts
    if (open.isGone) return
    const names = view.sessionServers().filter((name) => !this.#running.has(name))
    const runners = names.map((name) => [name, new Runner(this, name, reader)] as const)
    for (const [name, runner] of runners) this.#running.set(name, runner)
    for (const [name, runner] of runners)
      if (this.#winner === undefined)
        runner.exchange = parts.dispatcher.open(open.caller, openingFor(name), runner)
    // A server that refuses at once has settled it already.
    if (runners.length === 0) this.#settle()
  }

  /** Ends without a stream, unless one may still come. */
  #settle(): void {
    const { view, reader } = this.#facts
    if (this.#winner !== undefined || this.#running.size > 0) return
    if (!this.#isOver && view.mayCome()) return
    this.#stopWaiting()
    const absence = view.absence() ?? new BridgeError('stream_unknown')
    reader.ended(this.#refusal ?? failedEnd(absence))
  }
}

class Runner implements ExchangeReader {
  exchange: OpenExchange | undefined
  readonly #stream: FirstStream
  readonly #serverName: string
  readonly #reader: ExchangeReader

  constructor(stream: FirstStream, serverName: string, reader: ExchangeReader) {
    this.#stream = stream
    this.#serverName = serverName
    this.#reader = reader
  }

  accepted(): void {
    if (this.#stream.wins(this)) this.#reader.accepted()
  }

  message(message: Payload, number: number | undefined): void {
    if (this.#stream.wins(this)) this.#reader.message(message, number)
    else discard(message)
  }

  ended(end: ExchangeEnd): void {
    this.#stream.ended(this.#serverName, this, end)
  }
}
