import type { RawJson } from './json.ts'
import { limits } from './limits.ts'

/** One part of a payload, as a binary frame carries it. */
export interface Chunk {
  /** The exchange or call whose payload it is. */
  readonly id: string
  readonly bytes: RawJson
}

/** Writes a binary frame: the length of the id in one byte, the id in ASCII, the bytes. */
export function encodeChunk({ id, bytes }: Chunk): Buffer {
  return Buffer.concat([Buffer.from([id.length]), Buffer.from(id, 'latin1'), bytes])
}

/** Reads a binary frame. @returns `undefined` if it is malformed, empty or too long */
export function decodeChunk(frame: Buffer): Chunk | undefined {
  const idChars = frame[0] ?? 0
  if (idChars === 0 || idChars > limits.callIdChars) return undefined
  const bytes = frame.subarray(1 + idChars)
  if (bytes.length === 0 || bytes.length > limits.chunkBytes) return undefined
  return { id: frame.toString('latin1', 1, 1 + idChars), bytes }
}
