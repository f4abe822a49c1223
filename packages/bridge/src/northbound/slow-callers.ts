import type { ServerResponse } from 'node:http'
import { type Dated, DeadlineQueue } from '../collections/deadline-queue.ts'
import type { System } from '../ports.ts'

/** Time without reading after which a caller is disconnected. */
export const UNREAD_MS = 60_000
/** Interval between checks of an answer. */
const LOOK_MS = 1_000

/** A request whose caller may read slowly. */
export interface WatchedRequest {
  readonly response: ServerResponse
  cutOff(unreadBytes: number): void
}

/** A check of one answer, repeated until `stop`. */
export interface Watch {
  stop(): void
}

/** [LIVE.4] Cuts off callers that do not read their answers. */
export class SlowCallers {
  readonly #system: System
  readonly #looks: DeadlineQueue

  constructor(system: System) {
    this.#system = system
    this.#looks = new DeadlineQueue(system)
  }

  watch(request: WatchedRequest): Watch {
    return new AnswerWatch(request, this.#looks, this.#system)
  }
}

class AnswerWatch implements Watch, Dated {
  dueAtMs = Number.POSITIVE_INFINITY
  queueIndex = -1
  readonly #request: WatchedRequest
  readonly #looks: DeadlineQueue
  readonly #system: System
  #takenBytes: number
  /** Time of the last check that found that the caller reads. */
  #readAtMs: number

  constructor(request: WatchedRequest, looks: DeadlineQueue, system: System) {
    this.#request = request
    this.#looks = looks
    this.#system = system
    this.#takenBytes = takenBytes(request.response)
    this.#readAtMs = system.monotonicMs()
    this.#looks.set(this, this.#readAtMs + LOOK_MS)
  }

  stop(): void {
    this.#looks.remove(this)
  }

  timeUp(): void {
    const { response } = this.#request
    const waitingBytes = response.writableLength
    const taken = takenBytes(response)
    const nowMs = this.#system.monotonicMs()
    // With pipelining, an answer behind another one has no socket yet, so its caller cannot read it.
    const isStuck = waitingBytes > 0 && taken === this.#takenBytes && response.socket !== null
    if (isStuck && nowMs - this.#readAtMs >= UNREAD_MS) return this.#request.cutOff(waitingBytes)
    if (!isStuck) {
      this.#takenBytes = taken
      this.#readAtMs = nowMs
    }
    this.#looks.set(this, nowMs + LOOK_MS)
  }
}

/** Bytes that the system has taken. Constant while the caller reads nothing, however much is written. */
function takenBytes({ socket }: ServerResponse): number {
  return socket === null ? 0 : socket.bytesWritten - socket.writableLength
}
