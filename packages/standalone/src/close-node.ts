import type { Server } from 'node:http'
import type { Bridge, System } from '@bridgekeeper/bridge'
import type { DataFolder } from './data/data-folder.ts'
import { forgetNodeUrl } from './data/node-file.ts'
import type { ChainedLog } from './security-log/security-log.ts'

/** Time after which requests that are still open are cut, once the bridge has closed. */
const HTTP_CLOSE_MS = 2_000

/** Everything of a running node that must be closed. */
export interface OpenNode {
  readonly server: Server
  readonly bridge: Bridge
  readonly log: ChainedLog
  readonly data: DataFolder
  readonly dataFolder: string
  readonly system: System
}

/** Closes a node in the order in which its parts need each other: listener, bridge, log, data folder. */
export function nodeCloser({ server, bridge, log, data, dataFolder, system }: OpenNode): () => Promise<void> {
  return async () => {
    forgetNodeUrl(dataFolder)
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
