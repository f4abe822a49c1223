import { type Server, type ServerOptions, type WebSocket, WebSocketServer } from 'ws'

/** Messages in more fragments than this are an attack on memory, not a slow network. */
export const MAX_FRAGMENTS = 1_024

export interface WebSocketLimits {
  /** A frame over this closes the socket with 1009, unbuffered. */
  readonly maxFrameBytes: number
  /** A peer that does not answer our close frame is cut off after this. */
  readonly closeMs: number
}

/**
 * Creates a WebSocket server for existing sockets. It never negotiates compression.
 * @param kind the class of its WebSockets
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
    // `AgentWebSocket` answers pings, within limits.
    autoPong: false,
    closeTimeout: closeMs,
    ...(chooseProtocol !== undefined && { handleProtocols: chooseProtocol }),
  }
  return new WebSocketServer<T>(options)
}
