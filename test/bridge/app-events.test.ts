import type { AgentNotice } from '@bridgekeeper/bridge'
import { expect, test, vi } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { dial, verifiedPeer } from '../support/peer.ts'

const CATALOG = {
  type: 'catalog',
  servers: [{ state: 'ready', name: 's', serverInfo: { name: 's', version: '1' }, tools: [] }],
}

test('[EMBED.7] an app hears of an agent, its tools and its end, until it removes its listener', async () => {
  const at = await startBridge()
  const heard: [string, AgentNotice][] = []
  const removers = (['agent-connected', 'agent-disconnected', 'tools-changed'] as const).map((name) =>
    at.bridge.on(name, (notice) => heard.push([name, notice])),
  )
  const ann = await at.token('ann')
  const notice = { userId: 'user_ann', sessionId: ann.sessionId }
  const peer = await verifiedPeer(at, ann, { v2: true })
  peer.send(CATALOG)
  await vi.waitFor(() => expect(heard).toHaveLength(2))
  peer.socket.close()
  await vi.waitFor(() =>
    expect(heard).toEqual([
      ['agent-connected', notice],
      ['tools-changed', notice],
      ['agent-disconnected', notice],
    ]),
  )

  for (const remove of removers) remove()
  const again = await verifiedPeer(at, ann, { v2: true })
  again.send(CATALOG)
  await vi.waitFor(() => expect(at.bridge.listTools('user_ann')).toEqual([]))
  again.send({ type: 'ping' })
  await again.next('pong')
  expect(heard).toHaveLength(3)
})

test('[EMBED.7] an agent that leaves before its challenge is answered is not announced', async () => {
  const at = await startBridge()
  const heard: string[] = []
  at.bridge.on('agent-connected', ({ userId }) => heard.push(userId))
  at.bridge.on('agent-disconnected', ({ userId }) => heard.push(userId))
  const [bob, ann] = [await at.token('bob'), await at.token('ann')]
  const stranger = dial(at, { token: bob.accessToken })
  await stranger.next('challenge')
  stranger.socket.terminate()
  await verifiedPeer(at, ann, { v2: true })
  await vi.waitFor(() => expect(heard).toEqual(['user_ann']))
})
