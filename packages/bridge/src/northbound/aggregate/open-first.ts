import { BridgeError, discard, type Payload } from '@bridgekeeper/protocol'
import { failedEnd } from '../../exchanges/end-of.ts'
import type { ExchangeEnd, ExchangeReader, OpenExchange, Opening } from '../../exchanges/exchange.ts'
import type { Caller } from '../../ports.ts'
import type { Dispatcher } from '../../router/dispatcher.ts'

/** [AGG.11] Asks several servers for the stream that one of them has. The first that accepts it is read. */
export function openFirst(
  dispatcher: Pick<Dispatcher, 'open'>,
  caller: Caller,
  openings: readonly Opening[],
  reader: ExchangeReader,
): OpenExchange {
  const race = new Race(openings.length, reader)
  for (const opening of openings) {
    const runner = new Runner(race)
    race.running.add(runner)
    runner.exchange = dispatcher.open(caller, opening, runner)
  }
  if (openings.length === 0) reader.ended(failedEnd(new BridgeError('stream_unknown')))
  return race
}

class Race implements OpenExchange {
  readonly running = new Set<Runner>()
  readonly reader: ExchangeReader
  #left: number
  #winner: Runner | undefined

  constructor(count: number, reader: ExchangeReader) {
    this.#left = count
    this.reader = reader
  }

  get id(): string | undefined {
    return this.#winner?.exchange?.id
  }

  /** @returns whether this one is read */
  wins(runner: Runner): boolean {
    if (this.#winner === undefined) {
      this.#winner = runner
      for (const other of this.running) if (other !== runner) other.exchange?.cancel()
    }
    return this.#winner === runner
  }

  isWinner(runner: Runner): boolean {
    return this.#winner === runner
  }

  lost(end: ExchangeEnd): void {
    this.#left--
    if (this.#left === 0 && this.#winner === undefined) this.reader.ended(end)
  }

  cancel(): void {
    for (const { exchange } of this.running) exchange?.cancel()
  }

  detach(): void {
    for (const { exchange } of this.running) exchange?.detach()
  }

  done(): void {
    this.#winner?.exchange?.done()
  }
}

class Runner implements ExchangeReader {
  exchange: OpenExchange | undefined
  readonly #race: Race

  constructor(race: Race) {
    this.#race = race
  }

  accepted(): void {
    if (this.#race.wins(this)) this.#race.reader.accepted()
  }

  message(message: Payload, number: number | undefined): void {
    if (this.#race.wins(this)) this.#race.reader.message(message, number)
    else discard(message)
  }

  ended(end: ExchangeEnd): void {
    this.#race.running.delete(this)
    const isRefused = end.kind !== 'answered' || end.status !== 200
    if (this.#race.isWinner(this)) this.#race.reader.ended(end)
    else if (isRefused) this.#race.lost(end)
    else if (this.#race.wins(this)) this.#race.reader.ended(end)
    else if (end.message !== undefined) discard(end.message)
  }
}
