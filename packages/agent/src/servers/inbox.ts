import type { ServerMessage } from './instance.ts'

/** Limits of the messages that wait for a reader. */
export const MAX_KEPT = 64
const MAX_KEPT_BYTES = 1_048_576

/** The messages of one server. Keeps them until somebody reads them, within limits. */
export class Inbox {
  readonly #maxKept: number
  readonly #refuse: (id: Buffer) => void
  #kept: ServerMessage[] = []
  #keptBytes = 0
  #read: ((message: ServerMessage) => void) | undefined

  /** @param refuse answers a request, given its id, for which there is no room */
  constructor(maxKept: number, refuse: (id: Buffer) => void) {
    this.#maxKept = maxKept
    this.#refuse = refuse
  }

  take(message: ServerMessage): void {
    if (this.#read !== undefined) return this.#read(message)
    this.#keptBytes += message.raw.length
    if (this.#kept.length < this.#maxKept && this.#keptBytes <= MAX_KEPT_BYTES) this.#kept.push(message)
    else if (message.id !== undefined) this.#refuse(message.id)
  }

  /** Hands all messages to a reader, beginning with those that were kept. */
  readBy(read: (message: ServerMessage) => void): void {
    const kept = this.#kept
    this.#kept = []
    this.#keptBytes = 0
    this.#read = read
    for (const message of kept) read(message)
  }
}
