import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'

const CURRENT = 'security.log'
const ARCHIVE = /^security-(\d{1,16})\.log$/
const CHUNK_BYTES = 65_536

/** The file that is written to. */
export function currentPath(folder: string): string {
  return join(folder, CURRENT)
}

/** What is remembered of the log outside of it. */
export function anchorPath(folder: string): string {
  return join(folder, `${CURRENT}.head`)
}

/** Where a full file goes, by the number of its first line. */
export function archivePath(folder: string, firstSeq: number): string {
  return join(folder, `security-${firstSeq}.log`)
}

/** All files of the log, oldest first. */
export function logPaths(folder: string): string[] {
  const names = readdirSync(folder)
  const archives = names.filter((name) => ARCHIVE.test(name)).sort((a, b) => firstSeqOf(a) - firstSeqOf(b))
  return [...archives, ...names.filter((name) => name === CURRENT)].map((name) => join(folder, name))
}

function firstSeqOf(name: string): number {
  return archiveSeq(name) ?? 0
}

/** The number in the name of a file that was put aside; `undefined` for any other name. */
export function archiveSeq(name: string): number | undefined {
  const seq = ARCHIVE.exec(name)?.[1]
  return seq === undefined ? undefined : Number(seq)
}

/** The complete lines of a file from its end, without their line feeds. Reads no more than is asked for. */
export function* linesFromEnd(path: string): Generator<string> {
  const fd = openSync(path, 'r')
  try {
    let place = fstatSync(fd).size
    // What follows the last line feed is no line.
    let rest: string | undefined
    while (place > 0) {
      const start = Math.max(0, place - CHUNK_BYTES)
      const pieces = readAt(fd, start, place - start).split('\n')
      place = start
      const last = pieces.pop() ?? ''
      if (pieces.length === 0) {
        rest = rest === undefined ? undefined : last + rest
        continue
      }
      if (rest !== undefined) yield last + rest
      while (pieces.length > 1) yield pieces.pop() ?? ''
      rest = pieces[0] ?? ''
    }
    if (rest !== undefined) yield rest
  } finally {
    closeSync(fd)
  }
}

/** The first line, without its line feed; cut where it is longer than any of ours. */
export function firstLine(fd: number): string {
  return readAt(fd, 0, CHUNK_BYTES).split('\n', 1)[0] ?? ''
}

/** How many bytes of a file stand after its last line feed. */
export function tornBytes(fd: number): number {
  const { size } = fstatSync(fd)
  for (let place = size; place > 0; place -= CHUNK_BYTES) {
    const start = Math.max(0, place - CHUNK_BYTES)
    const end = readAt(fd, start, place - start).lastIndexOf('\n')
    if (end !== -1) return size - (start + end + 1)
  }
  return size
}

function readAt(fd: number, start: number, countBytes: number): string {
  const bytes = Buffer.alloc(countBytes)
  const read = readSync(fd, bytes, 0, countBytes, start)
  return bytes.toString('latin1', 0, read)
}
