import { closeSync, fstatSync, ftruncateSync, openSync } from 'node:fs'
import type { SecurityEvent } from '@bridgekeeper/bridge'
import { type Anchor, beginsAsAnchored, mayBegin, readAnchor, writeAnchorSync } from './anchor.ts'
import { type ChainedLine, type Head, parseLine, START } from './chain.ts'

import {
  anchorPath,
  archivePaths,
  archiveSeqs,
  currentPath,
  firstLine,
  linesFromEnd,
  tornBytes,
} from './files.ts'

/** A log that was opened for appending. */
export interface OpenedLog {
  readonly fd: number
  /** The number of the first line in the open file, or of the next one if the file is empty. */
  readonly firstSeq: number
  /** The hash that the next line continues. */
  readonly head: Head
  /** Problems found, to be logged first. */
  readonly findings: readonly SecurityEvent[]
}

/**
 * Opens the log of a folder, removes a torn last line, and finds the end of the chain. If lines and anchor
 * disagree it continues from the anchor, so that the break stays visible.
 *
 * @throws if the files cannot be read or written
 */
export function openLog(folder: string, key: Uint8Array): OpenedLog {
  const fd = openSync(currentPath(folder), 'a+', 0o600)
  try {
    const torn = tornBytes(fd)
    if (torn > 0) ftruncateSync(fd, fstatSync(fd).size - torn)
    const anchor = readAnchor(anchorPath(folder), key)
    const { head, findings } = continuation(folder, anchor)
    const start = startOfFile(folder, fd, anchor, head.seq + 1)
    // From now on a missing anchor means that it was removed.
    writeAnchorSync(anchorPath(folder), { ...head, fileSeq: start.firstSeq }, key)
    const recovered: SecurityEvent[] = torn > 0 ? [{ event: 'log_recovered', bytes: torn }] : []
    return { fd, firstSeq: start.firstSeq, head, findings: [...recovered, ...findings, ...start.findings] }
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

type Continuation = Pick<OpenedLog, 'head' | 'findings'>

function continuation(folder: string, anchor: Anchor): Continuation {
  const anchoredSeq = typeof anchor === 'string' || anchor.seq === 0 ? Number.POSITIVE_INFINITY : anchor.seq
  const { last, anchored, unreadable } = readTail(folder, anchoredSeq)
  const findings: SecurityEvent[] = unreadable ? [unproven('lines_unreadable')] : []
  const head = last ?? START
  if (anchor === 'missing' && head === START) return { head, findings }
  if (typeof anchor === 'string') return { head, findings: [...findings, unproven(`anchor_${anchor}`)] }
  if (head.seq < anchor.seq) {
    return {
      head: anchor,
      findings: [...findings, { event: 'log_tail_missing', lost: anchor.seq - head.seq }],
    }
  }
  if (anchor.seq === 0 || anchored?.hash === anchor.hash) return { head, findings }
  return { head: { seq: head.seq, hash: anchor.hash }, findings: [...findings, unproven('lines_differ')] }
}

/** If lines were removed from the beginning, the file keeps its original first number. */
function startOfFile(
  folder: string,
  fd: number,
  anchor: Anchor,
  nextSeq: number,
): Pick<OpenedLog, 'firstSeq' | 'findings'> {
  const firstSeq = parseLine(firstLine(fd))?.seq ?? nextSeq
  if (typeof anchor === 'string') return { firstSeq, findings: [] }
  if (beginsAsAnchored(firstSeq, anchor) && archiveSeqs(folder).every((seq) => mayBegin(seq, anchor)))
    return { firstSeq, findings: [] }
  return { firstSeq: anchor.fileSeq, findings: [unproven('start_missing')] }
}

function unproven(reason: string): SecurityEvent {
  return { event: 'log_unproven', reason }
}

interface Tail {
  readonly last: ChainedLine | undefined
  /** The line that the anchor is about. */
  readonly anchored: ChainedLine | undefined
  /** Whether something after the last line is no line. */
  readonly unreadable: boolean
}

/** Reads back from the end, through older files where needed, to the line that the anchor is about. */
function readTail(folder: string, anchoredSeq: number): Tail {
  let last: ChainedLine | undefined
  let unreadable = false
  for (const path of [...archivePaths(folder), currentPath(folder)].reverse()) {
    for (const text of linesFromEnd(path)) {
      const line = parseLine(text)
      unreadable ||= line === undefined && last === undefined
      last ??= line
      if (line === undefined || line.seq > anchoredSeq) continue
      return { last, anchored: line.seq === anchoredSeq ? line : undefined, unreadable }
    }
  }
  return { last, anchored: undefined, unreadable }
}
