import type { Writable } from 'node:stream'
import {
  type Bridge,
  createJwksAuthenticator,
  type SecurityLog,
  type System,
  streamSink,
} from '@bridgekeeper/bridge'
import type { Environment } from '@bridgekeeper/bridge/parts'
import manifest from '../package.json' with { type: 'json' }
import { nodeCloser } from './close-node.ts'
import { bridgeOf, ownBridge, ownIdentity } from './compose-bridge.ts'
import type { ServeSettings } from './config/serve-settings.ts'
import { reachNotes, shownUrl } from './config/transport.ts'
import { DataFolder } from './data/data-folder.ts'
import { noteNodeUrl } from './data/node-file.ts'
import { readCertificate, type TlsEvent } from './http/certificate.ts'
import { listen, urlOf } from './http/listen.ts'
import { nodeListener } from './http/node-listener.ts'
import { openNodeLog } from './security-log/node-log.ts'
import type { ChainedLog } from './security-log/security-log.ts'

export interface ServeOptions {
  readonly settings: ServeSettings
  /** Holds the secrets of the data folder: `JWT_SECRET` and `DATABASE_URL`. */
  readonly env: Environment
  readonly system: System
  /** Called when a new certificate is in use, or cannot be. */
  readonly onTls?: (event: TlsEvent) => void
  /** Copies of security log lines go here, such as standard output. */
  readonly logTo?: Writable
}

/** A running node. */
export interface Node {
  /** Address, e.g. `http://127.0.0.1:8787`. */
  readonly url: string
  /** Address to show to users: may be a public URL, or have a placeholder for the host. */
  readonly shownUrl: string
  readonly data: DataFolder
  readonly bridge: Bridge
  /** Warnings for the operator; the node runs anyway. */
  readonly notes: readonly string[]
  readonly securityLog: SecurityLog
  /** Stops accepting, lets calls end within the limit, closes everything. */
  close(): Promise<void>
}

/** Starts a node with embedded state. @throws SetupError as `serve` does */
export async function startNode(options: ServeOptions): Promise<Node> {
  const { settings, env, system, logTo } = options
  const { host, dataFolder, tlsFiles, tokenProvider } = settings
  const certificate = tlsFiles && (await readCertificate(tlsFiles, system))
  const data = await DataFolder.open(dataFolder, env, system)
  let log: ChainedLog | undefined
  const onTls = (event: TlsEvent): void => {
    log?.logSecurityEvent(event)
    options.onTls?.(event)
  }
  const server = nodeListener(settings, certificate, { onTls, log: () => log, system })
  try {
    // With an external identity provider, this node keeps no accounts.
    const own = tokenProvider === undefined ? await ownIdentity(data, system) : undefined
    const authenticator = tokenProvider && createJwksAuthenticator(tokenProvider, undefined, system)
    await listen(server, settings)
    // Two nodes of one folder must not both write the log: only the one that got the port opens it.
    const sinks = logTo === undefined ? [] : [streamSink(logTo, system)]
    log = openNodeLog({ path: dataFolder, data, system, sinks })
    const url = urlOf(server, tlsFiles === undefined ? 'http' : 'https', host)
    const notes = reachNotes(settings.reach, host, url)
    const parts = { settings, data, log, system, url }
    const bridge = own === undefined ? bridgeOf(parts, { authenticator }) : ownBridge(parts, own, server)
    bridge.attach(server)
    if (own !== undefined) await data.claim()
    await bridge.ready()
    log.logSecurityEvent({ event: 'bridge_started', version: manifest.version })
    noteNodeUrl(dataFolder, url)
    const close = nodeCloser({ server, bridge, log, data, dataFolder, system })
    return {
      url,
      shownUrl: shownUrl(settings.reach, host, url),
      data,
      bridge,
      notes,
      securityLog: log,
      close,
    }
  } catch (error) {
    server.close()
    await log?.close()
    await data.close()
    throw error
  }
}
