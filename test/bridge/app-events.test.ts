import type { AgentNotice } from '@bridgekeeper/bridge'
import { expect, onTestFinished, test, vi } from 'vitest'
import { agentWith, answerNext } from '../support/agents.ts'
import { startBridge } from '../support/bridge.ts'
import { provenDevice, startDeviceBridge } from '../support/devices.ts'
import { dial, verifiedPeer } from '../support/peer.ts'

const CATALOG = {
  type: 'catalog',
  servers: [{ state: 'ready', name: 's', serverInfo: { name: 's', version: '1' }, tools: [] }],
}

test('[EMBED.7] notifies an app of an agent, its tools and its end, until the listener is removed', async () => {
  const at = await startBridge()
  const heard: [string, AgentNotice][] = []
  const removers = (['agent-connected', 'agent-disconnected', 'tools-changed'] as const).map((name) =>
    at.bridge.on(name, (notice) => heard.push([name, notice])),
  )
  const ann = await at.token('ann')
  const notice = { userId: 'user_ann', sessionId: ann.sessionId, connection: 1 }
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

test('[EMBED.7] does not announce an agent that leaves before its challenge is answered', async () => {
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

test('[EMBED.7] numbers connections, so that the end of a replaced one differs from that of the new', async () => {
  const at = await startBridge()
  const online = new Set<number>()
  const ended = vi.fn()
  at.bridge.on('agent-connected', ({ connection }) => void online.add(connection))
  at.bridge.on('agent-disconnected', ({ connection }) => {
    online.delete(connection)
    ended()
  })
  const ann = await at.token('ann')
  await verifiedPeer(at, ann)
  const second = await verifiedPeer(at, ann)
  await vi.waitFor(() => expect(ended).toHaveBeenCalledOnce())
  expect([...online]).toEqual([2])
  second.socket.close()
  await vi.waitFor(() => expect([...online]).toEqual([]))
})

test('[EMBED.7] names the device of an enrolled agent', async () => {
  const at = await startDeviceBridge()
  const device = await at.enrol('ann')
  const connected = vi.fn()
  at.bridge.on('agent-connected', connected)
  await provenDevice(at, device)
  const { userId, sessionId, deviceId } = device
  await vi.waitFor(() =>
    expect(connected).toHaveBeenCalledExactlyOnceWith({ userId, sessionId, deviceId, connection: 1 }),
  )
})

test('[EMBED.10] keeps the agent and other listeners when a listener throws or rejects', async () => {
  const warnings: string[] = []
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation((text) => void warnings.push(String(text)))
  onTestFinished(() => warn.mockRestore())
  const at = await startBridge()
  at.bridge.on('agent-connected', () => {
    throw new Error('thrown by the app')
  })
  at.bridge.on('agent-connected', async () => {
    throw 'rejected by the app'
  })
  const heard = vi.fn()
  at.bridge.on('agent-connected', heard)
  const peer = await agentWith(at, 'ann', 'notes', 'read')
  const call = at.bridge.callTool('user_ann', 'notes', 'read')
  await answerNext(peer, { content: [] })
  expect(await call).toEqual({ content: [] })
  expect(heard).toHaveBeenCalledOnce()
  expect(warnings).toEqual(['Error: thrown by the app', 'rejected by the app'])
})
