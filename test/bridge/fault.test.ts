import { callbackLog, type SecurityLog } from '@bridgekeeper/bridge'
import { expect, test } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { dial, verifiedPeer } from '../support/peer.ts'

test('[WS.6] closes one connection with 1011 on a fault inside the bridge, and keeps the process', async () => {
  let faulty = false
  const securityLog: SecurityLog = {
    ...callbackLog(() => {}),
    logSecurityEvent({ event }) {
      if (faulty && event === 'ws_challenge_verified') throw new Error('a fault of ours')
    },
  }
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

test('[LOG.17] loses the event and keeps serving when an app’s log throws', async () => {
  const securityLog = callbackLog(() => {
    throw new Error('a fault of the app')
  })
  const at = await startBridge({ securityLog })
  const peer = await verifiedPeer(at, await at.token('ann'))
  peer.send('nonsense')
  await peer.next('error')
  peer.send({ type: 'ping' })
  await peer.next('pong')
})
