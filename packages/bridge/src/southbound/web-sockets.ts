import { type Server, type ServerOptions, type WebSocket, WebSocketServer } from 'ws'

/** Messages cut into more pieces than this are an attack on memory, not a slow network. */
export const MAX_FRAGMENTS = 1_024

export interface WebSocketLimits {
  /** A frame over this closes the socket with 1009, unbuffered. */
  readonly maxFrameBytes: number
  /** A peer that does not answer our close is cut after this. */
  readonly closeMs: number
}

/**
 * A parser of WebSockets without a port of its own; compression is never negotiated.
 * @param kind the class that its sockets are made of
 */
export function webSocketServer<T extends typeof WebSocket>(
  { maxFrameBytes, closeMs }: WebSocketLimits,
  kind: T,
  chooseProtocol?: (offered: Set<string>) => string | false,
): Server<T> {
  const options: ServerOptions<T> & { closeTimeout: number } = {
    noServer: true,
    WebSocket: kind,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxFrameBytes,
    maxFragments: MAX_FRAGMENTS,
    // Its class answers pings, where they are answered: a function of its own for each socket otherwise.
    autoPong: false,
    closeTimeout: closeMs,
    ...(chooseProtocol !== undefined && { handleProtocols: chooseProtocol }),
  }
  return new WebSocketServer<T>(options)
}
