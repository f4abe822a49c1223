import type { Duplex } from 'node:stream'

const FINAL_TEXT = 0x81
const LENGTH_IN_2_BYTES = 126
const LENGTH_IN_8_BYTES = 127
const MAX_IN_2_BYTES = 0xffff
/** Beyond this a copy costs more than a second piece in the same write. */
const ONE_PIECE_BELOW_BYTES = 16_384

/**
 * Writes one text message as a server does: a single frame, neither masked nor compressed. Past the general sender
 * of `ws`, whose two pieces and options for each message are a good part of what a small one costs.
 *
 * The socket must be that of an open WebSocket, between two frames. Source: RFC 6455 section 5.2.
 */
export function writeTextFrame(socket: Duplex, payload: Buffer): void {
  const headBytes = headBytesFor(payload.length)
  const isOnePiece = payload.length < ONE_PIECE_BELOW_BYTES
  const first = Buffer.allocUnsafe(isOnePiece ? headBytes + payload.length : headBytes)
  writeHead(first, payload.length)
  if (isOnePiece) {
    payload.copy(first, headBytes)
    socket.write(first)
    return
  }
  socket.cork()
  socket.write(first)
  socket.write(payload)
  socket.uncork()
}

function headBytesFor(sizeBytes: number): number {
  if (sizeBytes < LENGTH_IN_2_BYTES) return 2
  return sizeBytes <= MAX_IN_2_BYTES ? 4 : 10
}

function writeHead(into: Buffer, sizeBytes: number): void {
  into[0] = FINAL_TEXT
  if (sizeBytes < LENGTH_IN_2_BYTES) {
    into[1] = sizeBytes
  } else if (sizeBytes <= MAX_IN_2_BYTES) {
    into[1] = LENGTH_IN_2_BYTES
    into.writeUInt16BE(sizeBytes, 2)
  } else {
    into[1] = LENGTH_IN_8_BYTES
    into.writeUInt32BE(0, 2)
    into.writeUInt32BE(sizeBytes, 6)
  }
}
