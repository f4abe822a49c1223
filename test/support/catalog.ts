import { type CatalogServer, type CatalogTool, type ReadyServer, serverText } from '@bridgekeeper/protocol'

/** A tool as agent and bridge keep it. */
export function catalogTool(definition: {
  readonly name: string
  readonly [member: string]: unknown
}): CatalogTool {
  return { hash: '0'.repeat(64), name: definition.name, definition: JSON.stringify(definition) }
}

/** A ready server as agent and bridge keep it. */
export function readyServer(
  name: string,
  tools: readonly CatalogTool[] = [],
  changes: Partial<ReadyServer> = {},
): ReadyServer {
  return { state: 'ready', name, serverInfo: JSON.stringify({ name, version: '1' }), tools, ...changes }
}

/** Servers as they travel. */
// biome-ignore lint/suspicious/noExplicitAny: an answer under test has any shape
export function reported(servers: readonly CatalogServer[]): any[] {
  return servers.map((server) => JSON.parse(serverText(server)))
}
