import {
  arrayItems,
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  OPEN_BRACE,
  OPEN_BRACKET,
  objectEnd,
  QUOTE,
  skipSpace,
  spanIs,
  withoutByteOrderMark,
} from '@bridgekeeper/protocol'
import type { HeldBytes } from '../held-bytes.ts'
import { HEAD_BYTES, type LongLine, TAIL_BYTES } from './lines.ts'
import { type Members, readMembers } from './rpc-answer.ts'

export interface MessageHandlers {
  /**
   * Takes one JSON object.
   * @param amongNoise whether its line has other text too
   * @returns whether it was a message
   */
  readonly take: (message: Buffer, members: Members, amongNoise: boolean) => boolean
  /**
   * Receives text that is not a message, but may be a torn or invalid one. @returns whether a call waits for
   * it
   */
  readonly takeBroken: (text: Buffer) => boolean
  /** Receives what is left of a message over several lines that was too long to keep. */
  readonly takeLong: (line: LongLine) => void
  readonly ignored: (text: Buffer) => void
}

const NO_TEXT = Buffer.alloc(0)
const NEWLINE = Buffer.from('\n')
/** Limits of the search for any object behind other text: bytes into the line, and attempts. */
const NOISE_BYTES = 4_096
const MAX_TRIES = 16
/** The usual beginning of a message, which is also searched behind long progress output. */
const USUAL_HEAD = Buffer.from('{"jsonrpc"')
const BLANK_BYTES = 128
/** Lines of this size are searched once only, since each search may walk them whole. */
const LARGE_BYTES = 1_048_576
const BLANK = /^\s*$/
/** Matches the beginning of a message that spans several lines. */
const BLOCK_HEAD = /^\s*(?:[[{]\s*$|(?:\[\s*)?\{\s*"(?:jsonrpc|id|result|error|method|params)")/

/** The lines so far of a message that spans several lines. */
interface Block {
  /** Only its end, if it is too long to keep. */
  lines: Buffer[]
  /** Its beginning, if it is too long to keep. */
  head: Buffer | undefined
  bytes: number
  heldBytes: number
  depth: number
}

/**
 * Finds messages in a standard output that has other text too. Accepts a byte order mark, log lines, progress
 * or colour codes before or behind a message, batches, and messages over several lines.
 */
export class MessageReader {
  readonly #handlers: MessageHandlers
  readonly #maxBytes: number
  readonly #held: HeldBytes
  #block: Block | undefined
  /** Whether the rest of a broken answer may follow, whose data must not be shown. */
  #isTorn = false

  /** @param maxBytes of a message over several lines @param held memory for it */
  constructor(handlers: MessageHandlers, maxBytes: number, held: HeldBytes) {
    this.#handlers = handlers
    this.#maxBytes = maxBytes
    this.#held = held
  }

  /** The output has ended. */
  end(): void {
    this.#held.give(this.#block?.heldBytes ?? 0)
    this.#block = undefined
  }

  /** Takes one line, without its newline. */
  readLine(line: Buffer): void {
    const text = withoutByteOrderMark(line)
    if (this.#block !== undefined && this.#continues(this.#block, text)) return
    if (this.#takeWhole(text) || isBlank(text) || this.#beginsBlock(text)) return
    if (this.#takeAmongNoise(text)) return
    if (!this.#takeBroken(text)) this.#handlers.ignored(this.#isTorn ? NO_TEXT : text)
  }

  /** JSON that can be read, such as a log line, is not a broken message. */
  #takeBroken(text: Buffer): boolean {
    if (readMembers(text) !== undefined || !this.#handlers.takeBroken(text)) return false
    this.#isTorn = depthBehind(text, 0) !== 0
    return true
  }

  /** Takes text without a newline if it is a message as it stands, or several. @returns whether it is */
  readUnfinished(text: Buffer): boolean {
    const block = this.#block
    const isWhole = block === undefined ? areMessages(text) : depthBehind(text, block.depth) === 0
    if (isWhole) this.readLine(text)
    return isWhole
  }

  #takeWhole(text: Buffer): boolean {
    const members = readMembers(text)
    if (members !== undefined) {
      const isTaken = this.#handlers.take(text, members, false)
      if (isTaken) this.#isTorn = false
      return isTaken
    }
    const items = arrayItems(text)
    if (items === undefined || items.length === 0) return false
    for (const item of items) this.#takeItem(text.subarray(...item))
    return true
  }

  #takeItem(item: Buffer): void {
    const members = readMembers(item)
    if (members !== undefined && this.#handlers.take(item, members, false)) return
    if (!this.#takeBroken(item)) this.#handlers.ignored(item)
  }

  #beginsBlock(text: Buffer): boolean {
    if (!BLOCK_HEAD.test(text.toString('latin1', 0, BLANK_BYTES))) return false
    const depth = depthBehind(text, 0)
    if (depth === undefined || depth === 0) return false
    this.#block = { lines: [text], head: undefined, bytes: text.length, heldBytes: 0, depth }
    return true
  }

  /** @returns whether the line was part of the block */
  #continues(block: Block, text: Buffer): boolean {
    const depth = isMessage(readMembers(text), text) ? undefined : depthBehind(text, block.depth)
    if (depth === undefined) {
      this.#endBlock(block)
      return false
    }
    block.lines.push(text)
    block.bytes += text.length + 1
    block.depth = depth
    if (!this.#hold(block, text.length)) this.#shorten(block)
    if (depth === 0) this.#endBlock(block)
    return true
  }

  /** @returns whether the block may be kept whole */
  #hold(block: Block, bytes: number): boolean {
    if (block.head !== undefined || block.bytes > this.#maxBytes || !this.#held.take(bytes)) return false
    block.heldBytes += bytes
    return true
  }

  /** Keeps the two ends of a block. */
  #shorten(block: Block): void {
    const text = joined(block.lines)
    block.head ??= Buffer.from(text.subarray(0, HEAD_BYTES))
    block.lines = [Buffer.from(text.subarray(-TAIL_BYTES, -1))]
    this.#held.give(block.heldBytes)
    block.heldBytes = 0
  }

  #endBlock({ lines, head, bytes }: Block): void {
    this.end()
    const text = joined(lines)
    if (head !== undefined)
      return this.#handlers.takeLong({ head, tail: text, bytes, isTooLong: bytes > this.#maxBytes })
    if (this.#takeWhole(text) || this.#takeBroken(text)) return
    for (const line of lines) this.#handlers.ignored(line)
  }

  #takeAmongNoise(text: Buffer): boolean {
    const first = text.indexOf(OPEN_BRACE)
    const isObject = isBlank(text.subarray(0, Math.max(first, 0)))
    const maxTries = text.length > LARGE_BYTES ? 1 : MAX_TRIES
    const next = (tries: number, from: number) => {
      const at = tries < maxTries ? text.indexOf(OPEN_BRACE, from) : -1
      return at !== -1 && at < NOISE_BYTES ? at : text.indexOf(USUAL_HEAD, from)
    }
    for (let at = next(0, 0), tries = 0; at !== -1 && tries < 2 * maxTries; ) {
      const end = objectEnd(text, at)
      const message = text.subarray(at, end)
      const members = end === -1 ? undefined : readMembers(message)
      if (
        members !== undefined &&
        isMessage(members, message) &&
        this.#handlers.take(message, members, true)
      ) {
        const [before, behind] = [text.subarray(0, at), text.subarray(end)]
        if (!isBlank(before)) this.#handlers.ignored(before)
        if (!isBlank(behind)) this.readLine(behind)
        return true
      }
      // Do not search inside an object.
      if (isObject) return false
      tries++
      at = next(tries, Math.max(at + 1, end))
    }
    return false
  }
}

function joined(lines: readonly Buffer[]): Buffer {
  return Buffer.concat(lines.flatMap((line) => [line, NEWLINE]))
}

function isMessage(members: Members | undefined, text: Buffer): boolean {
  if (members === undefined || !spanIs(text, members.get('jsonrpc'), '"2.0"')) return false
  return members.has('id') || members.has('method') || members.has('error')
}

/** Whether a text is nothing but whole messages. */
function areMessages(text: Buffer): boolean {
  for (let at = skipSpace(text, 0); at < text.length; ) {
    const end = objectEnd(text, at)
    const message = text.subarray(at, end)
    if (end === -1 || !isMessage(readMembers(message), message)) return false
    at = skipSpace(text, end)
  }
  return true
}

function isBlank(text: Buffer): boolean {
  return text.length <= BLANK_BYTES && BLANK.test(text.toString('latin1'))
}

/**
 * Counts the brackets that are still open after a line.
 * @returns `undefined` if a string is not closed on the line, or a closing bracket has no opening one
 */
function depthBehind(line: Buffer, before: number): number | undefined {
  let depth = before
  let isInString = false
  for (let at = 0; at < line.length; at++) {
    const char = line[at]
    if (isInString) {
      if (char === BACKSLASH) at++
      else if (char === QUOTE) isInString = false
    } else if (char === QUOTE) isInString = true
    else if (char === OPEN_BRACE || char === OPEN_BRACKET) depth++
    else if ((char === CLOSE_BRACE || char === CLOSE_BRACKET) && --depth < 0) return undefined
  }
  return isInString ? undefined : depth
}
