import { BridgeError, type ErrorCode, pickMembers } from '@bridgekeeper/protocol'
import { DeadlineQueue } from '../collections/deadline-queue.ts'
import { SlotTable } from '../collections/slot-table.ts'
import type { ExchangeFrame } from '../connection/life.ts'
import type { Carrier } from '../connection/ready-connection.ts'
import type { System } from '../ports.ts'
import { CarriedExchange, type ExchangeHome } from './carried-exchange.ts'
import { failedEnd } from './end-of.ts'
import type { ExchangeReader, OpenExchange, Opening } from './exchange.ts'
import type { InFlight } from './in-flight.ts'
import { openFrame } from './open-frame.ts'

export interface ExchangeLimits {
  /** Time limit of a request after the last sign of progress. */
  readonly callTimeoutMs: number
  /** Longest duration of a request that shows progress. */
  readonly maxCallMs: number
  /** Requests that may wait for one agent. */
  readonly maxPendingCalls: number
}

/** Streams, notes and ends of sessions that one agent may have open. */
export const MAX_OPEN_STREAMS = 256
const REFUSED: OpenExchange = { id: undefined, cancel: () => {}, detach: () => {}, done: () => {} }

/** Ends an exchange before it is sent. */
export function refused(reader: ExchangeReader, error: BridgeError): OpenExchange {
  reader.ended(failedEnd(error))
  return REFUSED
}

/** Exchanges that one connection carries. */
interface Carried {
  readonly open: SlotTable<CarriedExchange>
  /** Requests among them that wait for an answer. */
  waiting: number
}

/** The open exchanges of all connections. [EXCH.2] Only the connection that an exchange was opened on answers it. */
export class ExchangeTable implements ExchangeHome {
  readonly #system: System
  readonly #inFlight: InFlight
  readonly #limits: ExchangeLimits
  readonly #deadlines: DeadlineQueue
  readonly #carried = new WeakMap<Carrier, Carried>()
  #size = 0

  constructor(system: System, inFlight: InFlight, limits: ExchangeLimits) {
    this.#system = system
    this.#inFlight = inFlight
    this.#limits = limits
    this.#deadlines = new DeadlineQueue(system)
  }

  /** Number of open exchanges. */
  get size(): number {
    return this.#size
  }

  /** Opens an exchange on this connection. `reader.ended` is called exactly once, also for a refusal. */
  open(carrier: Carrier, opening: Opening, client: string, reader: ExchangeReader): OpenExchange {
    const carried = this.#carriedBy(carrier)
    const id = carried.open.nextId()
    const frame = this.#obstacle(carrier, carried, opening) ?? openFrame(id, opening, client)
    if (frame instanceof BridgeError) return refused(reader, frame)
    const exchange = new CarriedExchange(id, carrier, opening, reader, this.#system.monotonicMs(), this)
    carried.open.add(exchange)
    this.#size++
    if (isWaiting(opening)) {
      carried.waiting++
      this.#inFlight.began()
    }
    this.#setDeadline(exchange, opening.method === 'tasks/result')
    if (frame.payload === undefined) carrier.send(frame.head)
    else carrier.sendLarge(frame)
    return exchange
  }

  /**
   * Handles a frame from this connection. Frames of unknown exchanges are ignored: one may have been cancelled a
   * moment ago.
   * @returns whether the frame is one that each exchange has once
   */
  received(carrier: Carrier, frame: ExchangeFrame): boolean {
    const isInOrder = this.#find(carrier, frame.id)?.receive(frame) ?? false
    return isInOrder && frame.type !== 'message'
  }

  /** Ends the exchange of an `end` that could not be read. */
  endRefused(carrier: Carrier, id: string, code: ErrorCode): void {
    this.#find(carrier, id)?.end(failedEnd(new BridgeError(code)))
  }

  /** The connection has ended, and with it its exchanges. */
  cut(carrier: Carrier): void {
    for (const exchange of this.#carried.get(carrier)?.open.items() ?? []) exchange.cut()
  }

  progressed(exchange: CarriedExchange, frame: ExchangeFrame | undefined): void {
    const isPatient = exchange.opening.method === 'tasks/result' || (frame !== undefined && asksCaller(frame))
    this.#setDeadline(exchange, isPatient)
  }

  left(exchange: CarriedExchange): void {
    const { id, carrier, opening } = exchange
    const carried = this.#carried.get(carrier)
    if (carried?.open.take(id) === undefined) return
    this.#size--
    this.#deadlines.remove(exchange)
    if (!isWaiting(opening)) return
    carried.waiting--
    this.#inFlight.ended()
  }

  #carriedBy(carrier: Carrier): Carried {
    const known = this.#carried.get(carrier)
    if (known !== undefined) return known
    const carried = { open: new SlotTable<CarriedExchange>(this.#system), waiting: 0 }
    this.#carried.set(carrier, carried)
    return carried
  }

  #find(carrier: Carrier, id: string): CarriedExchange | undefined {
    return this.#carried.get(carrier)?.open.get(id)
  }

  #obstacle(carrier: Carrier, { open, waiting }: Carried, opening: Opening): BridgeError | undefined {
    if (this.#inFlight.isDraining) return new BridgeError('shutting_down')
    if (carrier.isSlow) return new BridgeError('agent_slow')
    const isFull = isWaiting(opening)
      ? waiting >= this.#limits.maxPendingCalls
      : open.size - waiting >= MAX_OPEN_STREAMS
    return isFull ? new BridgeError('too_many_calls') : undefined
  }

  /** @param isPatient whether only the longest duration counts */
  #setDeadline(exchange: CarriedExchange, isPatient: boolean): void {
    if (isLasting(exchange.opening)) return
    const { callTimeoutMs, maxCallMs } = this.#limits
    const latestMs = exchange.openedAtMs + Math.max(maxCallMs, callTimeoutMs)
    const dueAtMs = this.#system.monotonicMs() + callTimeoutMs
    this.#deadlines.set(exchange, isPatient ? latestMs : Math.min(dueAtMs, latestMs))
  }
}

/** Whether it stays open until one side ends it. */
function isLasting({ kind, method }: Omit<Opening, 'message'>): boolean {
  return kind === 'stream' || method === 'subscriptions/listen'
}

function isWaiting(opening: Omit<Opening, 'message'>): boolean {
  return opening.kind === 'request' && !isLasting(opening)
}

/** Whether the server waits for an answer of the caller, who may be a person. */
function asksCaller(frame: ExchangeFrame): boolean {
  return frame.type === 'message' && pickMembers(frame.message ?? NOTHING, ['id'])?.[0] !== undefined
}

const NOTHING = Buffer.alloc(0)
