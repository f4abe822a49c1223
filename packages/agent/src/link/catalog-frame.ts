import { type CatalogServer, encode, limits } from '@bridgekeeper/protocol'

const TOO_LARGE =
  'It has too many tool definitions for one message of the bridge; disable it, or one beside it.'

/**
 * The frame that reports all local servers. When it would be too large for one message, the servers
 * with the largest entries are reported without their tools.
 */
export function catalogFrame(servers: readonly CatalogServer[]): Buffer {
  let fitting = [...servers]
  let frame = encode({ type: 'catalog', servers: fitting })
  while (frame.length > limits.messageBytes) {
    const largest = largestReady(fitting)
    if (largest === undefined) break
    fitting = fitting.map((server) =>
      server === largest ? { state: 'failed', name: server.name, reason: TOO_LARGE } : server,
    )
    frame = encode({ type: 'catalog', servers: fitting })
  }
  return frame
}

function largestReady(servers: readonly CatalogServer[]): CatalogServer | undefined {
  return servers
    .filter((server) => server.state === 'ready')
    .map((server) => ({ server, chars: JSON.stringify(server).length }))
    .toSorted((a, b) => b.chars - a.chars)[0]?.server
}
