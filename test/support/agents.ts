import { expect, vi } from 'vitest'
import type { TestBridge } from './bridge.ts'
import { type Peer, verifiedPeer } from './peer.ts'

/** A v2 agent of this user with one server, whose tools accept any arguments. */
export async function agentWith(
  at: TestBridge,
  name: string,
  server: string,
  ...tools: string[]
): Promise<Peer> {
  const peer = await verifiedPeer(at, await at.token(name), { v2: true })
  const listed = tools.map((tool) => ({
    hash: '0'.repeat(64),
    definition: { name: tool, inputSchema: { type: 'object' } },
  }))
  const info = { name: server, version: '1' }
  peer.send({ type: 'catalog', servers: [{ state: 'ready', name: server, serverInfo: info, tools: listed }] })
  await vi.waitFor(() => {
    expect(at.bridge.listTools(`user_${name}`).map((tool) => tool.server)).toContain(server)
  })
  return peer
}

/** Answers the next call of this peer with a result. */
export async function answerNext(peer: Peer, result: unknown): Promise<void> {
  await answerNextWith(peer, { success: true, result })
}

/** Answers the next call of this peer with the members of a tool_result. */
export async function answerNextWith(peer: Peer, members: object): Promise<void> {
  const { id } = await peer.next('tool_execute')
  peer.send({ type: 'tool_result', id, ...members })
}
