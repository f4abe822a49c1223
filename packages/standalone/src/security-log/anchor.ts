import { createHmac, timingSafeEqual } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  rename,
  renameSync,
  writeFile,
  writeSync,
} from 'node:fs'
import type { Head } from './chain.ts'

const FORM = /^\{"seq":(\d{1,15}),"hash":"([0-9a-f]{64})","fileSeq":(\d{1,15}),"mac":"([0-9a-f]{64})"\}\n$/

/** The anchored state: the last line, and the first line of its file. */
export interface AnchoredHead extends Head {
  readonly fileSeq: number
}

/** State of the anchor file: `missing`, `unproven` (made with another key, or unreadable), or a head. */
export type Anchor = AnchoredHead | 'missing' | 'unproven'

/** Reads and verifies the anchor. @throws if the file exists and cannot be read */
export function readAnchor(path: string, key: Uint8Array): Anchor {
  let text: string
  try {
    text = readFileSync(path, 'latin1')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'missing'
    throw error
  }
  const [, seq, hash = '', fileSeq, mac = ''] = FORM.exec(text) ?? []
  if (seq === undefined) return 'unproven'
  const head = { seq: Number(seq), hash, fileSeq: Number(fileSeq) }
  const proven = timingSafeEqual(Buffer.from(mac, 'hex'), macOf(head, key))
  return proven ? head : 'unproven'
}

/** Replaces the anchor atomically: a reader or a crash finds the old one or the new one. @throws if it cannot */
export function writeAnchorSync(path: string, head: AnchoredHead, key: Uint8Array): void {
  const fd = openSync(draftOf(path), 'w', 0o600)
  try {
    writeSync(fd, anchorText(head, key))
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(draftOf(path), path)
}

/** Replaces the anchor asynchronously. Ignores errors: the old anchor stays, and the next write catches up. */
export function writeAnchor(path: string, head: AnchoredHead, key: Uint8Array, done: () => void): void {
  writeFile(draftOf(path), anchorText(head, key), { mode: 0o600 }, (error) =>
    error === null ? rename(draftOf(path), path, done) : done(),
  )
}

function draftOf(path: string): string {
  return `${path}.new`
}

function anchorText(head: AnchoredHead, key: Uint8Array): string {
  const { seq, hash, fileSeq } = head
  return `${JSON.stringify({ seq, hash, fileSeq, mac: macOf(head, key).toString('hex') })}
`
}

function macOf({ seq, hash, fileSeq }: AnchoredHead, key: Uint8Array): Buffer {
  return createHmac('sha256', key).update(`${seq} ${hash} ${fileSeq}`).digest()
}

/**
 * Whether an archived file may begin with this line. Lines between the anchored file's first line and the
 * anchored line belong to that file, so none of them begins another.
 */
export function mayBegin(firstSeq: number, anchor: AnchoredHead): boolean {
  return firstSeq <= anchor.fileSeq || firstSeq > anchor.seq
}

/** Whether the current file may begin with this line: as anchored, or after the anchored line. */
export function beginsAsAnchored(firstSeq: number, anchor: AnchoredHead): boolean {
  return firstSeq === anchor.fileSeq || firstSeq > anchor.seq
}
