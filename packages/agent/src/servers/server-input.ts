/** Limit of requests and cancellations that a server has not read. */
export const MAX_REQUEST_BYTES = 64 * 1_048_576
/** Limit of unread small answers to a server's own requests; a working server stays far below. */
export const MAX_ANSWER_BYTES = 1_048_576
/** A larger answer comes from a caller. A server cannot cause many of those, so they count as requests do. */
const SMALL_ANSWER_BYTES = 65_536

/** The standard input of a process. */
export interface InputPipe {
  /** @param read is called when the operating system has taken the bytes */
  readonly write: (bytes: Buffer, read?: () => void) => void
  /** Written bytes that the process has not read yet. */
  readonly queuedBytes: () => number
}

/**
 * The only writer to the standard input of a local server. Bounds the memory that a server that does not read
 * can make the agent use.
 *
 * The agent keeps reading output while input waits. Otherwise it would deadlock with a server that writes a
 * large result before it reads again.
 */
export class ServerInput {
  readonly #pipe: InputPipe
  #answerBytes = 0

  constructor(pipe: InputPipe) {
    this.#pipe = pipe
  }

  /** Whether another request may be queued. */
  get hasRoom(): boolean {
    return this.#pipe.queuedBytes() <= MAX_REQUEST_BYTES
  }

  /**
   * Queues a request or a cancellation. Check {@link hasRoom} before a request. A cancellation needs no
   * check, since each request has at most one.
   */
  write(line: Buffer): void {
    this.#pipe.write(line)
  }

  /**
   * Queues an answer to a request of the server, or a message of the handshake.
   *
   * @returns whether the server reads its answers; if not, the line was dropped
   */
  answer(line: Buffer): boolean {
    if (line.length > SMALL_ANSWER_BYTES) {
      if (!this.hasRoom) return false
      this.#pipe.write(line)
      return true
    }
    if (this.#answerBytes + line.length > MAX_ANSWER_BYTES) return false
    this.#answerBytes += line.length
    this.#pipe.write(line, () => {
      this.#answerBytes -= line.length
    })
    return true
  }
}
