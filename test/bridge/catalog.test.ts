import { catalogFrames } from '@bridgekeeper/agent/testing'
import { expect, test, vi } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { catalogTool, readyServer } from '../support/catalog.ts'
import { bearer, post } from '../support/mcp.ts'
import { verifiedPeer } from '../support/peer.ts'

const tools = (count: number, bytes: number) =>
  Array.from({ length: count }, (_, i) =>
    catalogTool({ name: `t${i}`, inputSchema: { type: 'object' }, description: 'x'.repeat(bytes) }),
  )
const server = (count: number, bytes: number) => readyServer('s', tools(count, bytes))
const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' }

test('[CATALOG.1] lists a server with 3 MiB of definitions whole, at its own address and with the others', async () => {
  const at = await startBridge()
  const ann = await at.token('ann')
  const peer = await verifiedPeer(at, ann, { v2: true })
  const frames = catalogFrames([server(300, 10_000)])
  expect(frames.length).toBeGreaterThan(5)
  for (const frame of frames.slice(0, -1)) peer.socket.send(frame, { binary: false })
  peer.send({ type: 'ping' })
  await peer.next('pong')
  // The previous catalog counts until the last part has arrived; here there is none.
  expect(at.bridge.listTools('user_ann')).toEqual([])
  peer.socket.send(frames.at(-1) ?? '', { binary: false })
  await vi.waitFor(() => expect(at.bridge.listTools('user_ann')).toHaveLength(300))
  for (const path of ['/mcp/s', '/mcp']) {
    const { json } = await post(at, path, LIST, bearer(ann.accessToken))
    expect(json.result.tools, path).toHaveLength(300)
  }
})

test('[CATALOG.2] refuses a catalog over 8 MiB once, and keeps the previous one', async () => {
  const at = await startBridge()
  const peer = await verifiedPeer(at, await at.token('ann'), { v2: true })
  for (const frame of catalogFrames([server(2, 10)])) peer.socket.send(frame, { binary: false })
  for (const frame of catalogFrames([server(10, 900_000)])) peer.socket.send(frame, { binary: false })
  expect(await peer.next('error')).toMatchObject({ error: 'message_too_large' })
  peer.send({ type: 'ping' })
  await peer.next('pong')
  expect(at.bridge.listTools('user_ann')).toHaveLength(2)
  for (const frame of catalogFrames([server(3, 10)])) peer.socket.send(frame, { binary: false })
  await vi.waitFor(() => expect(at.bridge.listTools('user_ann')).toHaveLength(3))
})
