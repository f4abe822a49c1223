import { BridgeError, type Payload, pickMembers } from '@bridgekeeper/protocol'
import { failedEnd } from '../exchanges/end-of.ts'
import type { ExchangeEnd, ExchangeReader, OpenExchange } from '../exchanges/exchange.ts'

/** Records what happens to an exchange. */
export interface ExchangeRecord {
  /** @param reason code of a failure without an answer */
  ended(requestId: string, success: boolean, reason: string | undefined): void
  /** Runs once everything recorded so far is written. */
  afterWritten(run: () => void): void
}

/**
 * An exchange as its caller holds it, from the gates to its end. The caller gets messages at once, and the end once
 * it is recorded.
 */
export class GatedExchange implements OpenExchange, ExchangeReader {
  readonly #record: ExchangeRecord
  /** `undefined` once the caller gets nothing more. */
  #reader: ExchangeReader | undefined
  #upstream: OpenExchange | undefined
  #isRecorded = false

  constructor(reader: ExchangeReader, record: ExchangeRecord) {
    this.#reader = reader
    this.#record = record
  }

  get id(): string | undefined {
    return this.#upstream?.id
  }

  /** Whether the caller gets nothing more. */
  get isOver(): boolean {
    return this.#reader === undefined
  }

  /** All gates allow it. @returns its id, unless it was refused before it was sent */
  send(open: (reader: ExchangeReader) => OpenExchange): string | undefined {
    this.#upstream = open(this)
    return this.id
  }

  refuse(error: BridgeError): void {
    this.#record.afterWritten(() => this.#deliver(failedEnd(error)))
  }

  accepted(): void {
    this.#reader?.accepted()
  }

  message(message: Payload, number: number | undefined): void {
    this.#reader?.message(message, number)
  }

  ended(end: ExchangeEnd): void {
    if (this.id === undefined) return this.#deliver(end)
    if (end.kind === 'answered') this.#recordEnd(!isError(end.message), undefined)
    else this.#recordEnd(false, end.error.code)
    this.#record.afterWritten(() => this.#deliver(end))
  }

  cancel(): void {
    if (this.#upstream === undefined) this.#deliver(failedEnd(new BridgeError('call_cancelled')))
    else this.#upstream.cancel()
  }

  detach(): void {
    const hadReader = this.#reader !== undefined
    this.#reader = undefined
    this.#upstream?.detach()
    if (hadReader && !this.#isRecorded) this.#recordEnd(false, 'detached')
  }

  done(): void {
    this.#upstream?.done()
  }

  #recordEnd(success: boolean, reason: string | undefined): void {
    this.#isRecorded = true
    if (this.id !== undefined) this.#record.ended(this.id, success, reason)
  }

  #deliver(end: ExchangeEnd): void {
    const reader = this.#reader
    this.#reader = undefined
    reader?.ended(end)
  }
}

/** Whether the local server answered with a JSON-RPC error. */
function isError(message: Payload | undefined): boolean {
  return Buffer.isBuffer(message) && pickMembers(message, ['error'])?.[0] !== undefined
}
