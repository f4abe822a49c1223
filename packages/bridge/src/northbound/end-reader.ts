import { discard, type Payload } from '@bridgekeeper/protocol'
import type { ExchangeEnd, ExchangeReader } from '../exchanges/exchange.ts'

/** Reads only the end of an exchange. */
export class EndReader implements ExchangeReader {
  readonly #done: (end: ExchangeEnd) => void

  constructor(done: (end: ExchangeEnd) => void) {
    this.#done = done
  }

  accepted(): void {}

  message(message: Payload): void {
    discard(message)
  }

  ended(end: ExchangeEnd): void {
    this.#done(end)
  }
}
