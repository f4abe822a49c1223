import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Bridge, createBridge } from '../bridge.ts'
import type { System } from '../ports.ts'
import {
  type Certificate,
  othersMayRead,
  readCertificate,
  type TlsEvent,
  type TlsFiles,
} from './certificate.ts'
import { DataFolder } from './data-folder.ts'
import { createListener, demandTls } from './listener.ts'
import { providerOf } from './provider.ts'
import { type Environment, isProduction } from './secret.ts'
import { SetupError } from './setup-error.ts'
import { bridgeSettings } from './transport.ts'

export interface ServeOptions {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  readonly dataFolder: string
  readonly env: Environment
  readonly system: System
  /** With these the node speaks TLS itself, and takes up new ones while it runs. */
  readonly tls?: TlsFiles
  /** `required`, `terminated-by-proxy` or `off`. */
  readonly tlsMode?: string
  /** Addresses or CIDR ranges of proxies whose headers are believed. */
  readonly trustedProxies?: readonly string[]
  /** The addresses under which clients reach this node. */
  readonly publicUrls?: readonly string[]
  /** Pages of these origins may use it. */
  readonly allowedOrigins?: readonly string[]
  /** Default 20,000. */
  readonly maxConnections?: number
  /** Told when a new certificate is in use, or cannot be. */
  readonly onTls?: (event: TlsEvent) => void
}

/** A running node. */
export interface Node {
  /** Where it listens, e.g. `http://127.0.0.1:8787`. */
  readonly url: string
  readonly data: DataFolder
  readonly bridge: Bridge
  /** What an operator should mend, though the node runs. */
  readonly notes: readonly string[]
  /** Stops accepting, lets calls end within the limit, closes everything. */
  close(): Promise<void>
}

const MAX_CONNECTIONS = 20_000
const MAX_CALL_TIMEOUT_MS = 86_400_000
/** Requests still open this long after the bridge closed are cut. */
const HTTP_CLOSE_MS = 2_000

/**
 * Starts a node with embedded state.
 * @throws SetupError when it cannot start; nothing is left open then
 */
export async function serve(options: ServeOptions): Promise<Node> {
  const { system, tls } = options
  const settings = bridgeSettings({ ...options, ownTls: tls !== undefined })
  const notes = tls === undefined ? [] : await keyFileNotes(tls, options.env)
  const certificate = tls === undefined ? undefined : await readCertificate(tls, system)
  const timeoutMs = callTimeoutMs(options.env.BRIDGEKEEPER_CALL_TIMEOUT_MS)
  const provider = providerOf(options.env, system)
  const data = new DataFolder(options.dataFolder, options.env, system)
  const bridge = createBridge({
    authenticator: provider ?? data.claim(),
    ...settings,
    ...(timeoutMs !== undefined && { callTimeoutMs: timeoutMs }),
    system,
  })
  const server = listenerOf(options, certificate)
  bridge.attach(server)
  if (tls !== undefined) demandTls(server)
  try {
    await listen(server, options)
  } catch (error) {
    server.close()
    data.close()
    throw error
  }

  async function close(): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    await bridge.close()
    server.closeIdleConnections()
    const cancel = system.after(HTTP_CLOSE_MS, () => server.closeAllConnections())
    await closed
    cancel()
    data.close()
  }

  return { url: urlOf(server, options), data, bridge, notes, close }
}

function listenerOf(options: ServeOptions, certificate: Certificate | undefined): Server {
  const { system, tls: files, maxConnections = MAX_CONNECTIONS, onTls = () => {} } = options
  if (files === undefined || certificate === undefined) return createListener({ maxConnections, system })
  return createListener({ maxConnections, system, tls: { files, certificate, onEvent: onTls } })
}

/** [TLS.8] @throws SetupError `tls_unusable` in production, where everyone here may read the key */
async function keyFileNotes({ keyFile }: TlsFiles, env: Environment): Promise<string[]> {
  // A file that is not there is told when it is read.
  if (!(await othersMayRead(keyFile).catch(() => false))) return []
  const message = `Every account of this machine may read the TLS key ${keyFile}.`
  const next = `Take the right away: chmod o-r ${keyFile} (in Kubernetes, defaultMode: 0440).`
  if (isProduction(env)) throw new SetupError('tls_unusable', message, next)
  return [`${message} ${next}`]
}

function listen(server: Server, { host, port }: ServeOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)))
    server.listen(port, host, resolve)
  })
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): SetupError {
  if (error.code === 'EADDRINUSE') {
    return new SetupError(
      'port_taken',
      `Port ${port} on ${host} is taken; perhaps a bridge runs there already.`,
      `Stop what runs there, or choose another port: --port ${port + 1}, or PORT=${port + 1} in the environment.`,
      { cause: error },
    )
  }
  return new SetupError(
    'address_unusable',
    `Cannot listen on ${host}:${port}: ${error.message}`,
    'Choose another --host or --port.',
    {
      cause: error,
    },
  )
}

function urlOf(server: Server, { host, tls }: ServeOptions): string {
  const { port } = server.address() as AddressInfo
  return `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** @throws SetupError */
function callTimeoutMs(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined
  const value = Number(text)
  if (Number.isInteger(value) && value > 0 && value <= MAX_CALL_TIMEOUT_MS) return value
  throw new SetupError(
    'setting_invalid',
    `BRIDGEKEEPER_CALL_TIMEOUT_MS is ${JSON.stringify(text)}.`,
    `Give whole milliseconds, at most ${MAX_CALL_TIMEOUT_MS}.`,
  )
}
