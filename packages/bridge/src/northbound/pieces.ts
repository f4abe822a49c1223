import type { ServerResponse } from 'node:http'
import { type Payload, payloadBytes, type RawJson, readWhole } from '@bridgekeeper/protocol'

/** A text in pieces, of which some may still be arriving. */
export type Pieces = readonly Payload[]

/** Size of a whole text, also of what is still to come. */
export function sizeOf(pieces: Pieces): number {
  return pieces.reduce((sum, piece) => sum + payloadBytes(piece), 0)
}

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const SPACE = 0x20

export interface WriteOptions {
  /** Whether the text is the data of one event, so that a line end in a payload must not end it. */
  readonly isEvent: boolean
  /** Called after each write. */
  readonly wrote: () => void
}

/**
 * [BIG.9] Writes pieces in their order. The agent may send more of a payload once the network has taken what came
 * before, so that a slow reader costs one window of memory. A payload that is cut destroys the response.
 * @param done called once all is written
 */
export function writePieces(
  response: ServerResponse,
  [piece, ...rest]: Pieces,
  options: WriteOptions,
  done: () => void,
): void {
  if (response.destroyed) return
  if (piece === undefined) return done()
  const next = (): void => writePieces(response, rest, options, done)
  if (Buffer.isBuffer(piece)) {
    response.write(piece)
    options.wrote()
    return next()
  }
  piece.read({
    chunk: (bytes) => {
      if (response.destroyed) return
      if (options.isEvent) replaceLineEnds(bytes)
      response.write(bytes, () => piece.used(bytes.length))
      options.wrote()
    },
    end: next,
    cut: () => response.destroy(),
  })
}

/** Reads pieces whole. @param done called once, with `undefined` if one was cut */
export function readPieces(
  [piece, ...rest]: Pieces,
  done: (parts: readonly RawJson[] | undefined) => void,
): void {
  if (piece === undefined) return done([])
  readWhole(piece, (first) => {
    if (first === undefined) return done(undefined)
    readPieces(rest, (others) => done(others && [first, ...others]))
  })
}

/** In JSON, line ends are only white space between tokens. */
function replaceLineEnds(json: RawJson): void {
  for (const end of [LINE_FEED, CARRIAGE_RETURN])
    for (let at = json.indexOf(end); at !== -1; at = json.indexOf(end, at + 1)) json[at] = SPACE
}
