import type { LineSink, SecurityEvent, SecurityLog, System } from '@bridgekeeper/bridge'
import { lineBody, timestamps } from '@bridgekeeper/bridge/parts'
import { writeAnchor, writeAnchorSync } from './anchor.ts'
import { AnchorKeeper } from './anchor-keeper.ts'
import { chained, type Head } from './chain.ts'
import { anchorPath, archivePath, currentPath } from './files.ts'
import { LogFile } from './log-file.ts'
import { openLog } from './open-log.ts'

const DEFAULT_MAX_FILE_BYTES = 100 * 1_048_576
/** `,"seq":…,"hash":"…"}` and the line feed, at most. */
const CHAIN_CHARS = 100

export interface SecurityLogOptions {
  /** Folder of `security.log`, which no other process may append to. */
  readonly folder: string
  /** 32 secret bytes, required to make an anchor. */
  readonly key: Uint8Array
  readonly system: System
  readonly sinks?: readonly LineSink[]
  /** Size at which a file is put aside. Default 100 MiB. */
  readonly maxFileBytes?: number
}

/** A chained log in a folder. */
export interface ChainedLog extends SecurityLog {
  /** Records what happened earlier. */
  recordAt(event: SecurityEvent, atMs: number): void
  /** Writes what waits, the anchor, and closes the file. */
  close(): Promise<void>
}

/**
 * Opens the log of a folder and continues its chain.
 * @throws when the files cannot be read or written
 */
export function createSecurityLog(options: SecurityLogOptions): ChainedLog {
  const { folder, key, system, sinks = [], maxFileBytes = DEFAULT_MAX_FILE_BYTES } = options
  const opened = openLog(folder, key)
  const timestamp = timestamps()
  let head: Head = opened.head
  let lost = 0
  const file = new LogFile({
    fd: opened.fd,
    path: currentPath(folder),
    system,
    maxBytes: maxFileBytes,
    archivePath: (firstSeq) => archivePath(folder, firstSeq),
    firstSeq: opened.firstSeq,
    onRecovered,
  })

  const anchor = new AnchorKeeper(system, (done) => {
    const reached = head
    file.afterWritten(() => {
      const fileSeq = file.firstSeq
      if (file.writable) writeAnchor(anchorPath(folder), { ...reached, fileSeq }, key, done)
      else done()
    })
  })

  function record(event: SecurityEvent, atMs: number, atAnySize: boolean, more = false): void {
    const body = lineBody(event, timestamp(atMs))
    if (body === undefined) return
    if (atAnySize || file.hasRoom(body.length + CHAIN_CHARS)) append(body, more)
    else lost += 1
  }

  function append(body: string, more: boolean): void {
    const next = chained(head, body)
    head = next.head
    file.append(next.line, head.seq, more)
    for (const sink of sinks) sink.write(next.line)
    anchor.follow()
  }

  /** The line that tells of a gap is written whether there is room or not. */
  function onRecovered(error: Error): void {
    const gap = { event: 'log_gap', lost, error: error.message } as const
    lost = 0
    record(gap, system.nowMs(), true)
  }

  async function close(): Promise<void> {
    await file.close()
    await anchor.close()
    if (file.writable) writeAnchorSync(anchorPath(folder), { ...head, fileSeq: file.firstSeq }, key)
    await Promise.all(sinks.map((sink) => sink.close()))
  }

  for (const finding of opened.findings) record(finding, system.nowMs(), false)
  return {
    recordAt: (event, atMs) => record(event, atMs, false),
    logSecurityEvent: (event, more) => record(event, system.nowMs(), false, more),
    afterWritten: (run) => file.afterWritten(run),
    get writable() {
      return file.writable
    },
    close,
  }
}
