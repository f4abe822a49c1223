import type { Server } from 'node:http'
import {
  type Bridge,
  type BridgeOptions,
  createBridge,
  deny,
  type SecurityLog,
  type System,
} from '@bridgekeeper/bridge'
import { boundPipelining, sendRefusal } from '@bridgekeeper/bridge/parts'
import type { ServeSettings } from './config/serve-settings.ts'
import type { DataFolder } from './data/data-folder.ts'
import type { ownPages, PathHandler } from './own-pages.ts'
import { type OwnKeys, ownKeys, ownTokens } from './tokens/own-tokens.ts'

/** Parts that a node's bridge is built from. */
export interface BridgeParts {
  readonly settings: ServeSettings
  readonly data: DataFolder
  readonly log: SecurityLog
  readonly system: System
  /** The node's address. */
  readonly url: string
}

/** Keys and pages of a node that keeps its own accounts. */
export interface OwnIdentity {
  readonly keys: OwnKeys
  readonly handlersOf: typeof ownPages
}

/** The libraries of the pages are loaded only here: loading them takes longer than most commands. */
export async function ownIdentity(data: DataFolder, system: System): Promise<OwnIdentity> {
  const [keys, { ownPages }] = await Promise.all([ownKeys(data, system), import('./own-pages.ts')])
  return { keys, handlersOf: ownPages }
}

/** @throws SetupError */
export function bridgeOf(
  { settings, data, log, system }: BridgeParts,
  own: Partial<BridgeOptions> & Pick<BridgeOptions, 'authenticator'>,
): Bridge {
  return createBridge({
    ...settings.reach,
    ...settings.limits,
    allowV1: settings.allowV1,
    fingerprintKey: data.keyFor('fingerprint'),
    sessionKeys: [data.keyFor('mcp sessions')],
    stores: data.stores,
    revocations: data.stores.revocations,
    securityLog: log,
    system,
    ...own,
  })
}

/**
 * The bridge of a node that keeps its own accounts, with their pages and the authorization server.
 * @throws SetupError
 */
export function ownBridge(parts: BridgeParts, { keys, handlersOf }: OwnIdentity, server: Server): Bridge {
  const { settings, data, log, system, url } = parts
  const publicUrls = settings.reach.publicUrls.length > 0 ? settings.reach.publicUrls : [url]
  const [issuer = url] = publicUrls
  const bridge = bridgeOf(parts, ownTokens({ issuer, publicUrls, keys, data, system }))
  servePaths(server, handlersOf({ settings, issuer, publicUrls, data, keys, bridge, log, system }))
  return bridge
}

/** Answers the node's own paths, which the bridge leaves to the listeners before it. */
function servePaths(server: Server, handlers: readonly PathHandler[]): void {
  server.on('request', (request, response) => {
    boundPipelining(request, response)
    if (!handlers.some((handle) => handle(request, response))) sendRefusal(response, deny('not_found'))
  })
}
