import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'

const CURRENT = 'security.log'
const ARCHIVE = /^security-([1-9]\d{0,14})\.log$/
const CHUNK_BYTES = 65_536

/** Path of the current file. */
export function currentPath(folder: string): string {
  return join(folder, CURRENT)
}

/** Path of the anchor, beside the log. */
export function anchorPath(folder: string): string {
  return join(folder, `${CURRENT}.head`)
}

/** Path of an archived file, named by the number of its first line. */
export function archivePath(folder: string, firstSeq: number): string {
  return join(folder, `security-${firstSeq}.log`)
}

/** Paths of the archived files, oldest first. */
export function archivePaths(folder: string): string[] {
  return archiveSeqs(folder).map((seq) => archivePath(folder, seq))
}

/** Numbers in the names of the archived files, in ascending order. */
export function archiveSeqs(folder: string): number[] {
  return readdirSync(folder)
    .map(archiveSeq)
    .filter((seq) => seq !== undefined)
    .sort((a, b) => a - b)
}

/** Parses the number in the name of an archived file; `undefined` for any other name. */
export function archiveSeq(name: string): number | undefined {
  const seq = ARCHIVE.exec(name)?.[1]
  return seq === undefined ? undefined : Number(seq)
}

/** Reads the complete lines of a file from its end, without their line feeds. Reads lazily. */
export function* linesFromEnd(path: string): Generator<string> {
  const fd = openSync(path, 'r')
  try {
    // Excludes the bytes after the last line feed: they are not a line.
    const end = fstatSync(fd).size - tornBytes(fd)
    if (end === 0) return
    let rest = ''
    for (let chunkEnd = end - 1; chunkEnd > 0; chunkEnd -= CHUNK_BYTES) {
      const start = Math.max(0, chunkEnd - CHUNK_BYTES)
      const pieces = readAt(fd, start, chunkEnd - start)
        .split('\n')
        .reverse()
      for (const [i, piece] of pieces.entries()) {
        if (i > 0) yield rest
        rest = i > 0 ? piece : piece + rest
      }
    }
    yield rest
  } finally {
    closeSync(fd)
  }
}

/** Reads the first line, without its line feed; cuts one that is longer than any of ours. */
export function firstLine(fd: number): string {
  const text = readAt(fd, 0, CHUNK_BYTES)
  const end = text.indexOf('\n')
  return end === -1 ? text : text.slice(0, end)
}

/** Counts the bytes after the last line feed of a file. */
export function tornBytes(fd: number): number {
  const { size } = fstatSync(fd)
  for (let chunkEnd = size; chunkEnd > 0; chunkEnd -= CHUNK_BYTES) {
    const start = Math.max(0, chunkEnd - CHUNK_BYTES)
    const end = readAt(fd, start, chunkEnd - start).lastIndexOf('\n')
    if (end !== -1) return size - (start + end + 1)
  }
  return size
}

function readAt(fd: number, start: number, countBytes: number): string {
  const bytes = Buffer.alloc(countBytes)
  const read = readSync(fd, bytes, 0, countBytes, start)
  return bytes.toString('latin1', 0, read)
}
