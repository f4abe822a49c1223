import { expect, vi } from 'vitest'
import type { TestBridge } from './bridge.ts'
import { type Message, type Peer, verifiedPeer } from './peer.ts'

export const DAY_MS = 86_400_000

/** A v2 agent of this user with one server that takes exchanges. Its login lasts 90 days. */
export async function exchangeAgent(
  at: TestBridge,
  name: string,
  server: string,
  ...tools: string[]
): Promise<Peer> {
  const peer = await verifiedPeer(at, await at.token(name, 90 * DAY_MS), { v2: true })
  const listed = tools.map((tool) => ({
    hash: '0'.repeat(64),
    definition: { name: tool, inputSchema: { type: 'object' } },
  }))
  const entry = { state: 'ready', name: server, serverInfo: { name: server, version: '1' }, tools: listed }
  peer.send({ type: 'catalog', servers: [{ ...entry, capabilities: { tools: {} }, eras: ['2025'] }] })
  await vi.waitFor(() => {
    expect(at.bridge.listTools(`user_${name}`).map((tool) => tool.server)).toContain(server)
  })
  return peer
}

/** The next exchange that the bridge opens at this agent. */
export async function nextOpen(peer: Peer, kind = 'request'): Promise<Message & { readonly id: string }> {
  const open = (await peer.next('open')) as Message & { readonly id: string }
  expect(open.kind).toBe(kind)
  return open
}

/** Answers an exchange with a result, under the caller's id. */
export function answerOpen(peer: Peer, open: Message, result: unknown = {}, end: object = {}): void {
  const { id } = open.message as { readonly id: unknown }
  peer.send({ type: 'end', id: open.id, status: 200, message: { jsonrpc: '2.0', id, result }, ...end })
}
