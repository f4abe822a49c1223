import type { Node, ServeOptions } from './start-node.ts'

export type { Node, ServeOptions }

/**
 * Starts a node with embedded state. Loads the bridge only now: operators' commands need none, and load in two thirds
 * of the time without it.
 * @throws SetupError if it cannot start; it then leaves nothing open
 */
export async function serve(options: ServeOptions): Promise<Node> {
  const { startNode } = await import('./start-node.ts')
  return startNode(options)
}
