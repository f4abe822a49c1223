import { limits } from '@bridgekeeper/protocol'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import type { ExchangeFrame } from '../../src/connection/life.ts'
import type { ExchangeEnd, ExchangeReader, Opening } from '../../src/exchanges/exchange.ts'
import { ExchangeTable } from '../../src/exchanges/exchange-table.ts'
import { InFlight } from '../../src/exchanges/in-flight.ts'
import { FakeConnection } from './fake-connection.ts'

export const TABLE_LIMITS = { callTimeoutMs: 10_000, maxCallMs: 60_000, maxPendingCalls: 3 }

export const REQUEST: Opening = {
  serverName: 's',
  kind: 'request',
  era: '2025',
  method: 'prompts/get',
  name: 'p',
  version: '2025-11-25',
  session: undefined,
  streams: true,
  message: Buffer.from('{"jsonrpc":"2.0","id":"caller","method":"prompts/get"}'),
}
export const SESSION = { id: 'session', traits: [] }
export const ANSWER = Buffer.from('{"jsonrpc":"2.0","id":"caller","result":{}}')
export const PROGRESS = Buffer.from('{"jsonrpc":"2.0","method":"notifications/progress"}')
export const ASK = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"elicitation/create"}')
export const TOO_LARGE = Buffer.alloc(limits.payloadBytes + 1, '{')

/** Short form of an end. */
function endText(end: ExchangeEnd): string {
  if (end.kind === 'answered')
    return `${end.status} ${end.message?.toString() ?? 'empty'} ${end.number ?? '-'}`
  return `${end.kind} ${end.error.code}`
}

/** Writes down what it receives. */
export class NotedReader implements ExchangeReader {
  readonly seen: string[] = []

  accepted(): void {
    this.seen.push('accepted')
  }

  message(message: Buffer, number: number | undefined): void {
    this.seen.push(`${message} ${number ?? '-'}`)
  }

  ended(end: ExchangeEnd): void {
    this.seen.push(endText(end))
  }
}

/** A table with one connection. */
export class ExchangeWorld {
  readonly system = new FakeSystem()
  readonly inFlight = new InFlight()
  readonly table = new ExchangeTable(this.system, this.inFlight, TABLE_LIMITS)
  readonly agent = new FakeConnection('ann', 'agent')

  open(changes: Partial<Opening> = {}, agent = this.agent) {
    const reader = new NotedReader()
    const exchange = this.table.open(agent, { ...REQUEST, ...changes }, 'client', reader)
    const id = exchange.id ?? ''
    return {
      exchange,
      id,
      seen: reader.seen,
      /** A frame of the agent for this exchange. */
      receive: (frame: Partial<ExchangeFrame> & Pick<ExchangeFrame, 'type'>, from = agent): boolean =>
        this.table.received(from, { ...frame, id } as ExchangeFrame),
    }
  }

  /** Types of the frames that the agent got after the `open` frames. */
  get followUps(): readonly string[] {
    return this.agent.sent.map(({ type }) => type).filter((type) => type !== 'open')
  }
}
