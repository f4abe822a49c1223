import { constants } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { TlsOptions } from 'node:tls'
import type { System } from '@bridgekeeper/bridge'
import { type ClientAddress, strictTransport, type TrustedProxies } from '@bridgekeeper/bridge/parts'
import { type Certificate, type TlsEvent, type TlsFiles, watchCertificate } from './certificate.ts'
import {
  CountedRequest,
  CountedResponse,
  type DropReason,
  OpenSockets,
  type SocketLimits,
} from './open-sockets.ts'

/**
 * [HTTP.1] Time limits for slow peers. They end when a request is read, so a long call is not cut. Idle
 * connections outlive those of usual proxies (60 seconds); otherwise a proxy would sometimes send a request
 * into a closing one.
 */
export const HTTP_LIMITS = {
  headersTimeout: 5_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16_384,
} as const

const HTTP_OPTIONS: ServerOptions<typeof CountedRequest> = {
  ...HTTP_LIMITS,
  IncomingMessage: CountedRequest,
  insecureHTTPParser: false,
}

/**
 * [TLS.11] [TLS.12] TLS 1.2 and 1.3 with forward secrecy and authenticated ciphers. No renegotiation, and no
 * session tickets, whose key could decrypt recordings. Source: RFC 9325 sections 3.1, 3.4, 4.1, 4.2.
 */
const TLS_OPTIONS: TlsOptions = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: [
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'TLS_AES_128_GCM_SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
  ].join(':'),
  honorCipherOrder: true,
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_TICKET,
}

const TLS_HANDSHAKE_MS = 5_000
const RELOAD_LOOK_MS = 2_000

export interface ListenerOptions {
  readonly sockets: SocketLimits
  /** Exempt from the bound per address: each stands for many. */
  readonly proxies: TrustedProxies
  /** Called for each new socket that is closed at once. */
  readonly onDrop: (address: ClientAddress, reason: DropReason) => void
  readonly system: System
  readonly tls?: {
    readonly files: TlsFiles
    readonly certificate: Certificate
    readonly onEvent: (event: TlsEvent) => void
    /** Interval between polls of the files. */
    readonly everyMs?: number
  }
}

/** Creates an HTTP server with our limits, over TLS if there is a certificate. It does not listen yet. */
export function createListener({ sockets, proxies, onDrop, system, tls }: ListenerOptions): Server {
  const server =
    tls === undefined
      ? createServer({ ...HTTP_OPTIONS, ServerResponse: CountedResponse })
      : tlsServer(tls, system)
  new OpenSockets(server, sockets, proxies, onDrop)
  return server
}

/** [TLS.5] Adds HSTS to every answer, whichever handler writes it. */
class StrictResponse<Request extends IncomingMessage = IncomingMessage> extends CountedResponse<Request> {
  constructor(request: Request) {
    super(request)
    for (const [name, value] of Object.entries(strictTransport)) this.setHeader(name, value)
  }
}

function tlsServer(
  { files, certificate, onEvent, everyMs = RELOAD_LOOK_MS }: NonNullable<ListenerOptions['tls']>,
  system: System,
): Server {
  const server = createTlsServer({
    ...HTTP_OPTIONS,
    ...TLS_OPTIONS,
    ...certificate,
    ServerResponse: StrictResponse,
    handshakeTimeout: TLS_HANDSHAKE_MS,
  })
  // Open connections keep their certificate.
  const use = (renewed: Certificate): void => server.setSecureContext({ ...TLS_OPTIONS, ...renewed })
  server.on('close', watchCertificate(files, certificate, everyMs, system, use, onEvent))
  return server
}
