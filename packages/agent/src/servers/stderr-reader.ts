import { cleanText } from '@bridgekeeper/protocol'
import { LineSplitter } from './lines.ts'
import { cutHider, hider } from './secrets.ts'

const TAIL_BYTES = 4_096
const SHOWN_CHARS = 600
const MAX_LINE_BYTES = 65_536

/** Reads a server's standard error line by line, and keeps its tail. */
export class StderrReader {
  readonly #hide: (text: string) => string
  readonly #hideCut: (text: string) => string
  readonly #onLine: (line: string) => void
  readonly #lines = new LineSplitter(MAX_LINE_BYTES)
  #tail: Buffer = Buffer.alloc(0)

  /** @param secrets values to keep out of everything that is shown */
  constructor(secrets: readonly string[], onLine: (line: string) => void) {
    this.#hide = hider(secrets)
    this.#hideCut = cutHider(secrets)
    this.#onLine = onLine
  }

  push(chunk: Buffer): void {
    this.#tail = Buffer.concat([this.#tail, chunk.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES)
    for (const line of this.#lines.push(chunk)) {
      this.#onLine(cleanText(this.#hide(line.toString('utf8'))))
    }
  }

  /** The last of it, as one line. */
  tail(): string {
    return cleanText(this.#hideCut(this.#tail.toString('utf8')).trim().slice(-SHOWN_CHARS))
  }
}
