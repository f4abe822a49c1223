import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { basename } from 'node:path'
import { type Anchor, beginsAsAnchored, mayBegin, readAnchor } from './anchor.ts'
import { type Head, linkHash, parseLine, START } from './chain.ts'
import { anchorPath, archivePaths, archiveSeq, currentPath } from './files.ts'

/** A fault of the log. */
export interface Problem {
  /** Name of the file, if the problem is in one. */
  readonly file?: string
  /** Counted from 1. */
  readonly line?: number
  readonly kind: ProblemKind
  readonly text: string
}

type ProblemKind =
  | 'not_a_line'
  | 'altered'
  | 'missing'
  | 'out_of_order'
  | 'anchor_differs'
  | 'anchor_missing'
  | 'anchor_unproven'
  | 'tail_missing'

/** Result of verifying a log. */
export interface Verification {
  readonly intact: boolean
  readonly files: number
  readonly lines: number
  /** Greater than 1 where older files were removed. 0 without lines. */
  readonly firstSeq: number
  /** The last complete line. */
  readonly lastSeq: number
  /** The last line that the anchor covers; anyone could have appended later ones. */
  readonly anchoredSeq: number
  /** Bytes after the last complete line: torn, or still being written. */
  readonly tornBytes: number
  /** The first hundred. */
  readonly problems: readonly Problem[]
  readonly problemCount: number
}

const CHUNK_BYTES = 1_048_576
/** Longer than any of our lines. */
const MAX_LINE_CHARS = 65_536
const MAX_PROBLEMS = 100

/**
 * Reads all lines of a log, oldest first, in constant memory, also while a bridge appends to it.
 * @throws when a file cannot be read
 */
export function verifyLog(folder: string, key: Uint8Array): Verification {
  // Reads the anchor before the lines, which then reach at least as far.
  const anchor = readAnchor(anchorPath(folder), key)
  const chain = new ChainReader(anchor)
  const opened: OpenFile[] = []
  try {
    const files = openAll(folder, opened)
    for (const { path, fd } of files) chain.readFile(basename(path), chunksOf(fd))
    return { files: files.length, ...chain.end() }
  } finally {
    for (const { fd } of opened) closeSync(fd)
  }
}

interface OpenFile {
  readonly path: string
  readonly fd: number
  /** Identity of the file in the system, also after a rename. */
  readonly inode: bigint
}

/**
 * Opens the current file first. If it is rotated in between, it appears among the others again, and no file
 * can be missed.
 */
function openAll(folder: string, opened: OpenFile[]): OpenFile[] {
  const open = (path: string): OpenFile => {
    const fd = openSync(path, 'r')
    const file = { path, fd, inode: fstatSync(fd, { bigint: true }).ino }
    opened.push(file)
    return file
  }
  const newest = ifThere(() => open(currentPath(folder)))
  const archives = archivePaths(folder).map(open)
  if (newest === undefined) return archives
  return [...archives.filter(({ inode }) => inode !== newest.inode), newest]
}

function ifThere<T>(open: () => T): T | undefined {
  try {
    return open()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function* chunksOf(fd: number): Generator<string> {
  const bytes = Buffer.alloc(CHUNK_BYTES)
  for (;;) {
    const read = readSync(fd, bytes)
    if (read === 0) return
    yield bytes.toString('latin1', 0, read)
  }
}

/** Follows the chain from line to line. Holds only its position. */
class ChainReader {
  readonly #anchor: Anchor
  readonly #problems: Problem[] = []
  #problemCount = 0
  #lines = 0
  #firstSeq = 0
  #last: Head | undefined
  #anchorSeen = false
  #torn: { readonly file: string; readonly line: number; readonly bytes: number } | undefined

  constructor(anchor: Anchor) {
    this.#anchor = anchor
  }

  readFile(file: string, chunks: Iterable<string>): void {
    this.#noteTorn()
    let rest = ''
    let restBytes = 0
    let line = 0
    for (const chunk of chunks) {
      const text = rest + chunk
      const end = text.lastIndexOf('\n')
      if (end !== -1) for (const piece of text.slice(0, end).split('\n')) this.#readLine(file, ++line, piece)
      restBytes = end === -1 ? restBytes + chunk.length : text.length - end - 1
      rest = text.slice(end + 1, end + 1 + MAX_LINE_CHARS)
    }
    if (restBytes > 0) this.#torn = { file, line: line + 1, bytes: restBytes }
  }

  end(): Omit<Verification, 'files'> {
    const anchoredSeq = this.#judgeAnchor()
    return {
      intact: this.#problemCount === 0,
      lines: this.#lines,
      firstSeq: this.#firstSeq,
      lastSeq: this.#last?.seq ?? 0,
      anchoredSeq,
      tornBytes: this.#torn?.bytes ?? 0,
      problems: this.#problems,
      problemCount: this.#problemCount,
    }
  }

  #readLine(file: string, line: number, text: string): void {
    this.#lines += 1
    const found = parseLine(text)
    if (found === undefined) return this.#note('not_a_line', 'is not a valid line of the log', file, line)
    const { seq, hash, covered } = found
    const before = this.#last ?? (seq === 1 ? START : undefined)
    if (this.#firstSeq === 0) this.#firstSeq = seq
    if (line === 1) this.#judgeStart(file, seq)
    if (before !== undefined) {
      if (seq > before.seq + 1) {
        this.#note('missing', `lines ${before.seq + 1} to ${seq - 1} are missing before it`, file, line)
      } else if (seq <= before.seq) {
        this.#note('out_of_order', `has number ${seq} but follows ${before.seq}`, file, line)
      } else if (linkHash(before.hash, covered) !== hash) {
        this.#note('altered', 'it or the line before it was altered', file, line)
      }
    }
    this.#last = { seq, hash }
    if (typeof this.#anchor === 'string' || seq !== this.#anchor.seq) return
    this.#anchorSeen = true
    if (hash !== this.#anchor.hash)
      this.#note('anchor_differs', 'differs from the line that the anchor names', file, line)
  }

  /** Whole files may be removed from the start, single lines may not. */
  #judgeStart(file: string, seq: number): void {
    const archived = archiveSeq(file)
    const anchor = this.#anchor
    const judge = archived === undefined ? beginsAsAnchored : mayBegin
    const vouchedFor = typeof anchor === 'string' || judge(seq, anchor)
    if (!vouchedFor || (archived ?? seq) !== seq)
      this.#note('missing', 'is not the first line of the file', file, 1)
  }

  /** Only the very last line may be torn. */
  #noteTorn(): void {
    if (this.#torn === undefined) return
    this.#note('not_a_line', 'is cut off', this.#torn.file, this.#torn.line)
    this.#torn = undefined
  }

  #judgeAnchor(): number {
    const anchor = this.#anchor
    if (anchor === 'missing') {
      if (this.#lines > 0) this.#note('anchor_missing', 'The anchor, security.log.head, is missing.')
      return 0
    }
    if (anchor === 'unproven') {
      this.#note('anchor_unproven', 'The anchor was altered, or was made with another secret.')
      return 0
    }
    const lastSeq = this.#last?.seq ?? 0
    if (lastSeq < anchor.seq) {
      this.#note('tail_missing', `Lines ${lastSeq + 1} to ${anchor.seq} are missing at the end.`)
    } else if (anchor.seq > 0 && !this.#anchorSeen) {
      this.#note('anchor_differs', `The line ${anchor.seq}, which the anchor names, is missing.`)
    }
    return anchor.seq
  }

  #note(kind: ProblemKind, text: string, file?: string, line?: number): void {
    this.#problemCount += 1
    if (this.#problems.length >= MAX_PROBLEMS) return
    this.#problems.push({
      kind,
      text,
      ...(file !== undefined && { file }),
      ...(line !== undefined && { line }),
    })
  }
}
