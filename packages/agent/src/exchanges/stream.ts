import type { RawJson } from '@bridgekeeper/protocol'
import type { End, Sink } from './outlet.ts'
import type { StreamBudget } from './stream-budget.ts'

/** The exchange through which a stream is read. Its numbers begin behind `base`. */
export interface StreamReader {
  readonly id: string
  readonly base: number
}

interface Kept {
  readonly number: number
  readonly message: RawJson
}

/** Messages that a stream keeps for a reader who comes back. */
export const MAX_KEPT = 1_024
export const MAX_KEPT_BYTES = 4 * 1_048_576

/** Messages of an MCP session in their order, numbered from 1, which a reader may leave and read on. */
export class Stream {
  readonly #outlet: Sink
  readonly #budget: StreamBudget
  readonly #maxKept: number
  #kept: Kept[] = []
  #keptBytes = 0
  /** Number of the last message, or of the end. */
  #last = 0
  /** Highest number that was sent to a reader. */
  #sent = 0
  /** Highest number that is not kept any more. */
  #lost = 0
  #reader: StreamReader | undefined
  #end: End | undefined
  #isAccepted = false

  /** @param maxKept messages */
  constructor(outlet: Sink, budget: StreamBudget, maxKept = MAX_KEPT) {
    this.#outlet = outlet
    this.#budget = budget
    this.#maxKept = maxKept
  }

  get isRead(): boolean {
    return this.#reader !== undefined
  }

  get hasEnded(): boolean {
    return this.#end !== undefined
  }

  /** Number of the last message that was sent or dropped. A new reader begins after it. */
  get readUpTo(): number {
    return Math.max(this.#sent, this.#lost)
  }

  accepted(): void {
    this.#isAccepted = true
    if (this.#reader !== undefined) this.#outlet.accepted(this.#reader.id)
  }

  /** Keeps a message, and sends it. @returns `false` if its reader is too slow to get it now */
  push(message: RawJson): boolean {
    if (this.#end !== undefined) return true
    const number = ++this.#last
    this.#kept.push({ number, message })
    this.#keptBytes += message.length
    const isTaken = this.#sendMessage({ number, message })
    while (this.#kept.length > 1 && this.#isOverLimit()) this.#dropOldest()
    this.#budget.changed(this, this.#keptBytes)
    return isTaken
  }

  /** Whether the newest message is the same, and nobody has read it. */
  hasUnread(message: RawJson): boolean {
    const newest = this.#kept.at(-1)
    return newest !== undefined && newest.number > this.#sent && newest.message.equals(message)
  }

  end(end: End): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#last++
    this.#keptBytes += end.message?.length ?? 0
    this.#sendEnd()
    this.#budget.changed(this, this.#keptBytes)
  }

  /**
   * Sends what the reader lacks, and everything that follows. An earlier reader gets an end.
   * @param after the last number of the stream that the reader has
   * @returns whether everything after that number is still kept
   */
  attach(reader: StreamReader, after: number): boolean {
    if (after < this.#lost || after > this.#last) return false
    if (this.#reader !== undefined) this.dismiss(this.#reader.id)
    this.#reader = reader
    if (this.#isAccepted) this.#outlet.accepted(reader.id)
    for (const kept of this.#kept.filter(({ number }) => number > after)) {
      if (this.#sendMessage(kept)) continue
      this.dismiss(reader.id)
      return true
    }
    if (this.#end !== undefined && after === this.#last) this.dismiss(reader.id)
    else if (this.#end !== undefined) this.#sendEnd()
    return true
  }

  /** The reader went away. @param id if it is still this one */
  detach(id?: string): void {
    if (id === undefined || this.#reader?.id === id) this.#reader = undefined
  }

  /** Ends the exchange of this reader, if it still reads. The stream stays. @param id without it, of any reader */
  dismiss(id = this.#reader?.id): void {
    if (id === undefined || this.#reader?.id !== id) return
    this.#outlet.end(id, { status: 200 })
    this.#reader = undefined
  }

  /** Drops everything that is kept. */
  forget(): void {
    this.#kept = []
    this.#keptBytes = 0
    this.#lost = this.#last
    if (this.#end !== undefined) this.#end = { status: 200 }
    this.#budget.changed(this, 0)
  }

  #isOverLimit(): boolean {
    return this.#kept.length > this.#maxKept || this.#keptBytes > MAX_KEPT_BYTES
  }

  #dropOldest(): void {
    const oldest = this.#kept.shift()
    if (oldest === undefined) return
    this.#keptBytes -= oldest.message.length
    this.#lost = oldest.number
  }

  #sendMessage({ number, message }: Kept): boolean {
    const reader = this.#reader
    if (reader === undefined) return true
    const isTaken = this.#outlet.message(reader.id, message, number - reader.base)
    if (isTaken) this.#sent = Math.max(this.#sent, number)
    return isTaken
  }

  #sendEnd(): void {
    const reader = this.#reader
    if (reader === undefined || this.#end === undefined) return
    this.#sent = this.#last
    this.#outlet.end(reader.id, this.#end, this.#last - reader.base)
    this.#reader = undefined
  }
}
