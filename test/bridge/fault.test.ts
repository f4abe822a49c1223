import { callbackLog } from '@bridgekeeper/server'
import { expect, test } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { dial, verifiedPeer } from '../support/peer.ts'

test('[WS.6] a fault inside the bridge ends one connection with 1011, not the process', async () => {
  let faulty = false
  const securityLog = callbackLog(({ event }) => {
    if (faulty && event === 'ws_challenge_verified') throw new Error('a fault of ours')
  })
  const at = await startBridge({ securityLog })
  const other = await verifiedPeer(at, await at.token('bob'))
  faulty = true
  const ann = await at.token('ann')
  const peer = dial(at, { token: ann.accessToken })
  peer.answer(await peer.next('challenge'), ann)
  expect(await peer.closed).toEqual({ code: 1011, reason: 'internal_error' })
  other.send({ type: 'ping' })
  await other.next('pong')
})
