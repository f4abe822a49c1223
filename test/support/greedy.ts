import { expect, vi } from 'vitest'
import { HOUR } from './attacker.ts'
import { startBridge, type TestBridge } from './bridge.ts'
import { FakeSystem } from './fake-system.ts'
import { bearer } from './mcp.ts'
import { type Peer, verifiedPeer } from './peer.ts'
import { type RawClient, rawClient } from './raw.ts'
import { Recorded } from './recorded.ts'

const UNLIMITED = { user: { maxCalls: 100_000, windowMs: 60_000, blockMs: 1 } }

/** A bridge without a limit of calls, and the headers of two callers. */
export async function withoutCallLimits() {
  const system = new FakeSystem()
  const log = new Recorded()
  const at = await startBridge({
    system,
    securityLog: log.securityLog,
    rateLimits: UNLIMITED,
    maxPendingCalls: 1_000,
  })
  const ann = bearer((await at.token('ann', HOUR)).accessToken)
  const bob = bearer((await at.token('bob', HOUR)).accessToken)
  return { at, system, log, ann, bob }
}

/** The bytes of one POST. */
export function request(body: string, headers: Readonly<Record<string, string>>, path = '/mcp'): string {
  const lines = Object.entries({
    host: '127.0.0.1',
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}`)
  return [`POST ${path} HTTP/1.1`, ...lines, '', body].join('\r\n')
}

/** A client that never reads. */
export async function deafClient(at: TestBridge): Promise<RawClient> {
  const client = await rawClient(at.port)
  client.socket.pause()
  return client
}

/** An agent of ann's whose catalog has about this many bytes. */
export async function agentWithCatalog(at: TestBridge, sizeBytes: number): Promise<Peer> {
  const peer = await verifiedPeer(at, await at.token('ann', HOUR), { v2: true })
  const inputSchema = { type: 'object', description: 'x'.repeat(sizeBytes / 1_000 - 150) }
  const tools = Array.from({ length: 1_000 }, (_, index) => ({
    hash: '0'.repeat(64),
    definition: { name: `tool${index}`, inputSchema },
  }))
  const server = { state: 'ready', name: 's', serverInfo: { name: 's', version: '1' }, tools }
  peer.send({ type: 'catalog', servers: [server] })
  await vi.waitFor(() => expect(at.bridge.listTools('user_ann')).toHaveLength(1_000))
  return peer
}
