import { closeSync, existsSync, fstatSync, openSync, renameSync, write, writeSync } from 'node:fs'
import type { System } from '@bridgekeeper/bridge'

/** Longest quick write. After a slower one, later writes go through the thread pool. */
const SLOW_WRITE_MS = 5
/** Longest quick write of the thread pool, which includes the wait for a thread. */
const SLOW_POOL_WRITE_MS = 20
/**
 * Number of quick writes of the thread pool in a row after which the disk is trusted again. It is small: on a
 * busy machine a write may be slow because another process had the processor.
 */
const QUICK_WRITES = 8
const RETRY_MS = 1_000
/** Limit of bytes that wait to be written; further lines are refused. */
const MAX_PENDING_BYTES = 1_048_576
/** Limit of bytes held back until the end of the event loop's turn. */
const MAX_HELD_BYTES = 65_536

export interface LogFileOptions {
  /** Descriptor of the file, open for appending; `close` closes it. */
  readonly fd: number
  readonly path: string
  readonly system: System
  /** Size at which the file is rotated. */
  readonly maxBytes: number
  /** Names a rotated file by the number of its first line. */
  readonly archivePath: (firstSeq: number) => string
  /** Number of its first line, or of the next line if it is empty. */
  readonly firstSeq: number
  /** Called when writing works again after this error, or after it was too slow. */
  readonly onRecovered: (error: Error) => void
}

/**
 * Appends lines to a file. While the disk is fast, it writes each line at once, or together with others of
 * the same turn of the event loop. While the disk is slow, it writes all pending lines at once through the
 * thread pool. It retries a failed write every second, from the byte where it stopped. Lines must be ASCII,
 * so that a character is a byte.
 */
export class LogFile {
  readonly #options: LogFileOptions
  #fd: number
  #sizeBytes: number
  #rotateAtBytes: number
  #firstSeq: number
  /** Lines that wait for the current write or the end of the turn, and the number of the first one. */
  #queue = ''
  #queueSeq = 0
  /** The batch being written, or the one that failed; bytes before the offset are in the file. */
  #batch: Buffer | undefined
  #offset = 0
  #inFlight = false
  #turnEnds = false
  #error: Error | undefined
  #refused = false
  #cancelRetry = (): void => {}
  /** Quick writes in a row that are still needed before the disk is trusted again. */
  #quickWritesNeeded = 0
  #appendedBytes = 0
  #writtenBytes = 0
  #waiting: { readonly untilBytes: number; readonly run: () => void }[] = []
  #whenSettled: (() => void) | undefined

  constructor(options: LogFileOptions) {
    this.#options = options
    this.#fd = options.fd
    this.#sizeBytes = fstatSync(options.fd).size
    this.#rotateAtBytes = options.maxBytes
    this.#firstSeq = options.firstSeq
  }

  /** Whether no write has failed and no line was refused since the last successful batch. */
  get writable(): boolean {
    return this.#error === undefined && !this.#refused
  }

  /** Number of the first line in the file, or of the next line if it is empty. */
  get firstSeq(): number {
    return this.#firstSeq
  }

  /** Whether a line of this size may be appended. If not, the caller drops it, and `writable` becomes false. */
  hasRoom(countBytes: number): boolean {
    if (this.#appendedBytes - this.#writtenBytes + countBytes <= MAX_PENDING_BYTES) return true
    this.#refused = true
    return false
  }

  /** @param more whether others are likely to follow within this turn of the event loop */
  append(line: string, seq: number, more = false): void {
    this.#appendedBytes += line.length
    if (this.#queue === '') this.#queueSeq = seq
    this.#queue += line
    if (this.#batch !== undefined) return
    if (!more || this.#queue.length > MAX_HELD_BYTES) return this.#writeHeld()
    if (this.#turnEnds) return
    this.#turnEnds = true
    setImmediate(this.#endTurn)
  }

  /** Runs the callback once everything appended so far is written or has failed; immediately if it already is. */
  afterWritten(run: () => void): void {
    const isWritten = this.#batch === undefined && this.#queue === ''
    if (isWritten || this.#error !== undefined) return run()
    this.#waiting.push({ untilBytes: this.#appendedBytes, run })
  }

  /** Writes the pending lines, with one more attempt after a failure, and closes the file. */
  close(): Promise<void> {
    this.#endTurn()
    // A retry during the last write would write the same bytes again.
    this.#cancelRetry()
    return new Promise((resolve) => {
      this.#whenSettled = () => {
        closeSync(this.#fd)
        resolve()
      }
      if (this.#batch === undefined) this.#whenSettled()
      else if (!this.#inFlight) this.#writeBatch(this.#batch)
    })
  }

  readonly #endTurn = (): void => {
    this.#turnEnds = false
    if (this.#batch === undefined && this.#queue !== '') this.#writeHeld()
  }

  #writeHeld(): void {
    if (this.#quickWritesNeeded > 0) return this.#writeQueue()
    const lines = this.#takeQueue()
    const startMs = this.#options.system.monotonicMs()
    let written = 0
    try {
      written = writeSync(this.#fd, lines, null, 'latin1')
    } catch (error) {
      return this.#fail(error as Error, this.#begin(lines, 0))
    }
    this.#noteWritten(written, startMs, SLOW_WRITE_MS)
    if (written < lines.length) this.#writeBatch(this.#begin(lines, written))
    else this.#releaseWritten()
  }

  /** Writes the queue through the thread pool. */
  #writeQueue(): void {
    this.#writeBatch(this.#begin(this.#takeQueue(), 0))
  }

  #takeQueue(): string {
    this.#rotateIfFull(this.#queueSeq)
    const lines = this.#queue
    this.#queue = ''
    return lines
  }

  #begin(lines: string, offset: number): Buffer {
    const batch = Buffer.from(lines, 'latin1')
    this.#batch = batch
    this.#offset = offset
    return batch
  }

  #writeBatch(batch: Buffer): void {
    const startMs = this.#options.system.monotonicMs()
    this.#inFlight = true
    write(this.#fd, batch, this.#offset, batch.length - this.#offset, null, (error, written) => {
      this.#inFlight = false
      if (error !== null) return this.#fail(error, batch)
      this.#noteWritten(written, startMs, SLOW_POOL_WRITE_MS)
      this.#offset += written
      if (this.#offset < batch.length) this.#writeBatch(batch)
      else this.#batchWritten()
    })
  }

  #batchWritten(): void {
    const recovered = this.#error ?? (this.#refused ? new Error('the disk is too slow') : undefined)
    this.#refused = false
    this.#batch = undefined
    this.#error = undefined
    if (this.#queue !== '') this.#writeQueue()
    this.#releaseWritten()
    if (recovered !== undefined) this.#options.onRecovered(recovered)
    if (this.#batch === undefined) this.#whenSettled?.()
  }

  #noteWritten(countBytes: number, startMs: number, slowMs: number): void {
    this.#sizeBytes += countBytes
    this.#writtenBytes += countBytes
    const isSlow = this.#options.system.monotonicMs() - startMs > slowMs
    this.#quickWritesNeeded = isSlow ? QUICK_WRITES : Math.max(0, this.#quickWritesNeeded - 1)
  }

  /** Resolves waiters on failure too: an answer must not be lost because its log line was. */
  #fail(error: Error, batch: Buffer): void {
    this.#error = error
    this.#release(this.#waiting.length)
    if (this.#whenSettled !== undefined) this.#whenSettled()
    else this.#cancelRetry = this.#options.system.after(RETRY_MS, () => this.#writeBatch(batch))
  }

  #releaseWritten(): void {
    let count = 0
    for (const { untilBytes } of this.#waiting) {
      if (untilBytes > this.#writtenBytes) break
      count++
    }
    this.#release(count)
  }

  /** Releases the oldest waiters. */
  #release(count: number): void {
    const released = this.#waiting
    this.#waiting = released.splice(count)
    for (const { run } of released) run()
  }

  /** Rotates between two lines. If archiving fails, the file grows, and rotation is retried later. */
  #rotateIfFull(nextSeq: number): void {
    if (this.#sizeBytes < this.#rotateAtBytes) return
    const { path, archivePath, maxBytes } = this.#options
    const fd = rotateFile(path, archivePath(this.#firstSeq))
    if (fd === undefined) {
      this.#rotateAtBytes = this.#sizeBytes + maxBytes
      return
    }
    closeSync(this.#fd)
    this.#fd = fd
    this.#sizeBytes = 0
    this.#rotateAtBytes = maxBytes
    this.#firstSeq = nextSeq
  }
}

/**
 * Rotates the file. If no new file can be created, the old one keeps growing under its new name until one
 * can.
 *
 * @returns the new file, open for appending; `undefined` without one
 */
function rotateFile(path: string, archive: string): number | undefined {
  try {
    if (existsSync(path)) {
      if (existsSync(archive)) return undefined
      renameSync(path, archive)
    }
    return openSync(path, 'ax', 0o600)
  } catch {
    return undefined
  }
}
