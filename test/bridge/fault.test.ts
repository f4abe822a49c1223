import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { realSystem } from '@bridgekeeper/server'
import { expect, onTestFinished, test } from 'vitest'
import { AgentEndpoint } from '../../packages/server/src/southbound/endpoint.ts'
import { startBridge } from '../support/bridge.ts'
import { dial } from '../support/peer.ts'

test('[WS.6] a fault inside the bridge ends one connection with 1011, not the process', async () => {
  const at = await startBridge()
  const principal = { userId: 'user_ann', sessionId: 's', expiresAtMs: realSystem().nowMs() + 60_000 }
  const fault = (): never => {
    throw new Error('a fault of ours')
  }
  const agents = new AgentEndpoint(
    { recall: () => principal, authenticate: async () => ({ allowed: true, value: principal }) },
    { verified: fault, ended: () => {}, execute: fault },
    realSystem(),
    { callTimeoutMs: 1_000, maxPendingCalls: 1 },
  )
  const server = createServer()
  server.on('upgrade', (request, socket, head) => void agents.upgrade(request, socket, head))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const peer = dial({ ...at, port }, { token: 'any' })
  peer.answer(await peer.next('challenge'), {
    userId: 'user_ann',
    sessionId: 's',
    accessToken: '',
    expiresAt: '',
  })
  expect(await peer.closed).toEqual({ code: 1011, reason: 'internal_error' })
})
