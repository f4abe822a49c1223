import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { ChannelBinding } from '../admission/device-verifier.ts'

/** RFC 9266 section 2. */
const LABEL = 'EXPORTER-Channel-Binding'
const EXPORTER_BYTES = 32
const EMPTY_CONTEXT = Buffer.alloc(0)

/** Reads the facts of a request and its socket that a device's proof binds. */
export function channelBindingOf({ headers, socket }: IncomingMessage, raw: Duplex): ChannelBinding {
  return {
    offeredSubprotocols: headers['sec-websocket-protocol'] ?? '',
    encrypted: raw instanceof TLSSocket,
    // Read only if needed: Node caches it as long as the socket lives.
    get localAddress() {
      return socket.localAddress
    },
    get localPort() {
      return socket.localPort
    },
    exporter: () => exporterOf(raw),
  }
}

/** Only TLS 1.3 gives each connection a unique exporter without further conditions (RFC 9266 section 3). */
function exporterOf(socket: Duplex): string | undefined {
  if (!(socket instanceof TLSSocket) || socket.getProtocol() !== 'TLSv1.3') return undefined
  return socket.exportKeyingMaterial(EXPORTER_BYTES, LABEL, EMPTY_CONTEXT).toString('base64url')
}
