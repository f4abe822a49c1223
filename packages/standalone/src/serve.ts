import type { Server } from 'node:http'
import type { Writable } from 'node:stream'
import {
  type Bridge,
  type BridgeOptions,
  createBridge,
  deny,
  type SecurityLog,
  type System,
  streamSink,
} from '@bridgekeeper/bridge'
import {
  boundPipelining,
  type Environment,
  Sampler,
  sendRefusal,
  TrustedProxies,
} from '@bridgekeeper/bridge/parts'
import manifest from '../package.json' with { type: 'json' }
import { externalIssuer } from './config/external-issuer.ts'
import { limitSettings } from './config/limit-settings.ts'
import { SetupError } from './config/setup-error.ts'
import { type BridgeSettings, bridgeSettings, reachNotes } from './config/transport.ts'
import { DataFolder } from './data/data-folder.ts'
import { type Certificate, readCertificate, type TlsEvent, type TlsFiles } from './http/certificate.ts'
import { listen, urlOf } from './http/listen.ts'
import { createListener, type ListenerOptions } from './http/listener.ts'
import { MAX_SOCKETS_PER_ADDRESS } from './http/open-sockets.ts'
import type { ownPages, PathHandler } from './own-pages.ts'
import { openNodeLog } from './security-log/node-log.ts'
import type { ChainedLog } from './security-log/security-log.ts'
import { type OwnKeys, ownKeys, ownTokens } from './tokens/own-tokens.ts'

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
  /** Whether agents without a device's key may connect in production too. */
  readonly allowV1?: boolean
  /** Whether any app may register itself. Default: outside of production, where only this machine reaches the node. */
  readonly allowRegistration?: boolean
  /** Sockets of any kind. Default 20,000. */
  readonly maxConnections?: number
  /** Those of one address, trusted proxies aside. Default 512. */
  readonly maxConnectionsPerAddress?: number
  /** Told when a new certificate is in use, or cannot be. */
  readonly onTls?: (event: TlsEvent) => void
  /** Where the lines of the security log go besides its file, such as standard output. */
  readonly logTo?: Writable
}

/** A running node. */
export interface Node {
  /** Where it listens, e.g. `http://127.0.0.1:8787`. */
  readonly url: string
  readonly data: DataFolder
  readonly bridge: Bridge
  /** What an operator should mend, though the node runs. */
  readonly notes: readonly string[]
  readonly securityLog: SecurityLog
  /** Stops accepting, lets calls end within the limit, closes everything. */
  close(): Promise<void>
}

export const MAX_CONNECTIONS = 20_000
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
  const certificate = tls === undefined ? undefined : await readCertificate(tls, system)
  const data = await DataFolder.open(options.dataFolder, options.env, system)
  let log: ChainedLog | undefined
  const onTls = (event: TlsEvent): void => {
    log?.logSecurityEvent(event)
    options.onTls?.(event)
  }
  const server = listenerOf(options, settings, certificate, {
    onTls,
    onDrop: dropRecorder(() => log, system),
  })
  try {
    const provider = externalIssuer(options.env, system)
    // Whose tokens come from a provider has no accounts here.
    const own = provider === undefined ? await ownIdentity(data, system) : undefined
    await listen(server, options)
    // The log is opened only by whoever got the port: two nodes of one folder must not both write it.
    const sinks = options.logTo === undefined ? [] : [streamSink(options.logTo, system)]
    log = openNodeLog({ path: options.dataFolder, data, system, sinks })
    const url = urlOf(server, tls === undefined ? 'http' : 'https', options.host)
    const notes = reachNotes(settings, options.host, url)
    const parts = { options, settings, data, log, url }
    const bridge =
      own === undefined ? bridgeOf(parts, { authenticator: provider }) : ownBridge(parts, own, server)
    bridge.attach(server)
    if (provider === undefined) await data.claim()
    await bridge.ready()
    log.logSecurityEvent({ event: 'bridge_started', version: manifest.version })
    return { url, data, bridge, notes, securityLog: log, close: closer(server, bridge, log, data, system) }
  } catch (error) {
    server.close()
    await log?.close()
    await data.close()
    throw error
  }
}

interface OwnIdentity {
  readonly keys: OwnKeys
  readonly handlersOf: typeof ownPages
}

/** Its libraries are loaded by whoever serves: they take longer than most commands of the shell. */
async function ownIdentity(data: DataFolder, system: System): Promise<OwnIdentity> {
  const [keys, { ownPages }] = await Promise.all([ownKeys(data, system), import('./own-pages.ts')])
  return { keys, handlersOf: ownPages }
}

interface BridgeParts {
  readonly options: ServeOptions
  readonly settings: BridgeSettings
  readonly data: DataFolder
  readonly log: SecurityLog
  /** Where the node listens. */
  readonly url: string
}

/**
 * The bridge of a node that keeps its own accounts, with their pages and the authorization server.
 * @throws SetupError
 */
function ownBridge(parts: BridgeParts, { keys, handlersOf }: OwnIdentity, server: Server): Bridge {
  const { options, settings, data, log, url } = parts
  const { env, system } = options
  const publicUrls = settings.publicUrls.length > 0 ? settings.publicUrls : [url]
  const [issuer = url] = publicUrls
  const bridge = bridgeOf(parts, ownTokens({ issuer, publicUrls, keys, data, system }))
  const { allowRegistration } = options
  const { allowedOrigins, production } = settings
  const given = {
    env,
    issuer,
    publicUrls,
    data,
    keys,
    bridge,
    allowRegistration,
    allowedOrigins,
    production,
    log,
    system,
  }
  serveOwn(server, handlersOf(given))
  return bridge
}

/** @throws SetupError */
function bridgeOf(
  { options: { env, system, allowV1 = false }, settings, data, log }: BridgeParts,
  own: Partial<BridgeOptions> & Pick<BridgeOptions, 'authenticator'>,
): Bridge {
  const timeoutMs = callTimeoutMs(env.BRIDGEKEEPER_CALL_TIMEOUT_MS)
  return createBridge({
    ...settings,
    ...limitSettings(env),
    ...(timeoutMs !== undefined && { callTimeoutMs: timeoutMs }),
    allowV1,
    fingerprintKey: data.keyFor('fingerprint'),
    stores: data.stores,
    revocations: data.stores.revocations,
    securityLog: log,
    system,
    ...own,
  })
}

/** Paths of the node's own, which the bridge leaves to whoever listened before it. */
function serveOwn(server: Server, handlers: readonly PathHandler[]): void {
  server.on('request', (request, response) => {
    boundPipelining(request, response)
    if (!handlers.some((handle) => handle(request, response))) sendRefusal(response, deny('not_found'))
  })
}

function closer(
  server: Server,
  bridge: Bridge,
  log: ChainedLog,
  data: DataFolder,
  system: System,
): () => Promise<void> {
  return async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    await bridge.close()
    server.closeIdleConnections()
    const cancel = system.after(HTTP_CLOSE_MS, () => server.closeAllConnections())
    await closed
    cancel()
    log.logSecurityEvent({ event: 'bridge_stopped' })
    await log.close()
    await data.close()
  }
}

function listenerOf(
  { system, tls: files, maxConnections, maxConnectionsPerAddress }: ServeOptions,
  { trustedProxies }: BridgeSettings,
  certificate: Certificate | undefined,
  { onTls, onDrop }: Pick<ListenerOptions, 'onDrop'> & { readonly onTls: (event: TlsEvent) => void },
): Server {
  const sockets = {
    inAll: maxConnections ?? MAX_CONNECTIONS,
    perAddress: maxConnectionsPerAddress ?? MAX_SOCKETS_PER_ADDRESS,
  }
  const options = { sockets, proxies: new TrustedProxies(trustedProxies), onDrop, system }
  if (files === undefined || certificate === undefined) return createListener(options)
  return createListener({ ...options, tls: { files, certificate, onEvent: onTls } })
}

/** Puts on record that sockets are closed at once, where the log is open already. */
function dropRecorder(log: () => SecurityLog | undefined, system: System): ListenerOptions['onDrop'] {
  const sampler = new Sampler()
  return ({ ip, key }, reason) => {
    const suppressed = sampler.take(`${reason} ${key}`, system.monotonicMs())
    if (suppressed === undefined) return
    log()?.logSecurityEvent({
      event: 'connection_dropped',
      ip,
      reason,
      ...(suppressed > 0 && { suppressed }),
    })
  }
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
