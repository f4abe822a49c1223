import { type ServerOptions, WebSocketServer } from 'ws'

/** Messages cut into more pieces than this are an attack on memory, not a slow network. */
const MAX_FRAGMENTS = 1_024

export interface WebSocketLimits {
  /** A frame over this closes the socket with 1009, unbuffered. */
  readonly maxFrameBytes: number
  /** A peer that does not answer our close is cut after this. */
  readonly closeMs: number
}

/** A parser of WebSockets without a port of its own; compression is never negotiated. */
export function webSocketServer(
  { maxFrameBytes, closeMs }: WebSocketLimits,
  chooseProtocol?: (offered: Set<string>) => string | false,
): WebSocketServer {
  const options: ServerOptions & { closeTimeout: number } = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxFrameBytes,
    maxFragments: MAX_FRAGMENTS,
    closeTimeout: closeMs,
    ...(chooseProtocol !== undefined && { handleProtocols: chooseProtocol }),
  }
  return new WebSocketServer(options)
}
