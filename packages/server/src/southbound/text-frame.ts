import type { Duplex } from 'node:stream'

const FINAL_TEXT = 0x81
const LENGTH_IN_2_BYTES = 126
const LENGTH_IN_8_BYTES = 127
/** Beyond this a copy costs more than a second piece in the same write. */
const ONE_PIECE_BELOW_BYTES = 16_384

/**
 * Writes one text message as a server does: a single frame, neither masked nor compressed. Past the general sender
 * of `ws`, whose two pieces and options for each message are a good part of what a small one costs.
 *
 * The socket must be that of an open WebSocket, between two frames. Source: RFC 6455 section 5.2.
 */
export function writeTextFrame(socket: Duplex, payload: Buffer): void {
  const headBytes = payload.length < LENGTH_IN_2_BYTES ? 2 : payload.length < 0x1_0000 ? 4 : 10
  if (payload.length < ONE_PIECE_BELOW_BYTES) {
    const frame = Buffer.allocUnsafe(headBytes + payload.length)
    writeHead(frame, headBytes, payload.length)
    payload.copy(frame, headBytes)
    socket.write(frame)
    return
  }
  const head = Buffer.allocUnsafe(headBytes)
  writeHead(head, headBytes, payload.length)
  socket.cork()
  socket.write(head)
  socket.write(payload)
  socket.uncork()
}

function writeHead(into: Buffer, headBytes: 2 | 4 | 10, sizeBytes: number): void {
  into[0] = FINAL_TEXT
  switch (headBytes) {
    case 2:
      into[1] = sizeBytes
      return
    case 4:
      into[1] = LENGTH_IN_2_BYTES
      into.writeUInt16BE(sizeBytes, 2)
      return
    case 10:
      into[1] = LENGTH_IN_8_BYTES
      into.writeUInt32BE(0, 2)
      into.writeUInt32BE(sizeBytes, 6)
  }
}
