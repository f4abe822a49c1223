import { createServer as createHttpServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Authenticator, createTokens, memoryUsers, realSystem } from '@bridgekeeper/bridge'
import { expect, onTestFinished, test } from 'vitest'
import { SECRET, startBridge, user } from '../support/bridge.ts'
import { challengedDevice, provenDevice, startDeviceBridge } from '../support/devices.ts'
import { dial, refusedUpgrade, verifiedPeer } from '../support/peer.ts'
import { Recorded } from '../support/recorded.ts'

const REQUIRED = { status: 403, body: { error: { code: 'proof_required' } } }
const HTTPS = { socketOptions: { headers: { 'x-forwarded-proto': 'https' } } }

function tokens(): ReturnType<typeof createTokens> {
  return createTokens(SECRET, memoryUsers([user('ann'), user('bob')]), realSystem())
}

function production(next: Authenticator, recorded = new Recorded(), allowV1?: boolean) {
  const proxied = { tls: 'terminated-by-proxy', trustedProxies: ['127.0.0.1'] } as const
  const { securityLog } = recorded
  const allowed = allowV1 === undefined ? {} : { allowV1 }
  return startDeviceBridge({ production: true, ...proxied, securityLog, next, ...allowed })
}

const overTls = (token: string, v2: boolean) =>
  ({
    v2,
    socketOptions: { headers: { ...HTTPS.socketOptions.headers, authorization: `Bearer ${token}` } },
  }) as const

test('[PROOF.6] W01: refuses a device’s token over v1, as after a proxy removed v2 from the offer', async () => {
  const recorded = new Recorded()
  const at = await startDeviceBridge({ securityLog: recorded.securityLog })
  const device = await at.enrol('ann')
  const v1 = dial(at, { token: device.accessToken })
  expect(await v1.closed).toEqual({ code: 1008, reason: 'proof_required' })
  expect(recorded.named('proof_downgrade_rejected')).toMatchObject([{ userId: 'user_ann', version: 'v1' }])
})

test('[PROOF.6] W01: refuses the echo where the challenge asks for a proof', async () => {
  const at = await startDeviceBridge()
  const device = await at.enrol('ann')
  const { peer, challenge } = await challengedDevice(at, device)
  peer.answer(challenge, { ...device, expiresAt: '' })
  expect(await peer.closed).toEqual({ code: 1008, reason: 'proof_failed' })
})

test('[PROOF.7] W01: refuses the echo of a user who has or had a device, even outside production', async () => {
  const next = tokens()
  const at = await startDeviceBridge({ next, allowV1: true })
  const issued = await next.issue(user('ann'), 60_000)
  await verifiedPeer(at, issued, { v2: true })
  const device = await at.enrol('ann')
  for (const isThere of [true, false]) {
    if (!isThere) await at.devices.revoke(device.deviceId, Date.now())
    const v2 = dial(at, { token: issued.accessToken, v2: true })
    expect(await refusedUpgrade(v2)).toMatchObject(REQUIRED)
    const v1 = dial(at, { token: issued.accessToken })
    expect(await v1.closed).toEqual({ code: 1008, reason: 'proof_required' })
  }
  await verifiedPeer(at, await next.issue(user('bob'), 60_000))
})

test('[PROOF.8] W01: refuses the echo in production, and logs each attempt', async () => {
  const next = tokens()
  const recorded = new Recorded()
  const at = await production(next, recorded)
  const { accessToken } = await next.issue(user('bob'), 60_000)
  expect(await refusedUpgrade(dial(at, overTls(accessToken, true)))).toMatchObject(REQUIRED)
  const v1 = dial(at, overTls(accessToken, false))
  expect(await v1.closed).toEqual({ code: 1008, reason: 'proof_required' })
  expect(recorded.named('proof_downgrade_rejected')).toMatchObject([
    { userId: 'user_bob', version: 'v2' },
    { userId: 'user_bob', version: 'v1' },
  ])
})

test('[PROOF.8] W01: logs each accepted echo where it is allowed', async () => {
  const next = tokens()
  const recorded = new Recorded()
  const at = await production(next, recorded, true)
  const issued = await next.issue(user('bob'), 60_000)
  for (const v2 of [true, false]) {
    const peer = dial(at, overTls(issued.accessToken, v2))
    peer.answer(await peer.next('challenge'), issued)
    await peer.next('challenge_verified')
  }
  expect(recorded.named('echo_accepted')).toMatchObject([{ version: 'v2' }, { version: 'v1' }])
})

test('[PROOF.6] W01: refuses a revoked device, and every device at a bridge without devices', async () => {
  const at = await startDeviceBridge()
  const device = await at.enrol('ann')
  await at.devices.revoke(device.deviceId, Date.now())
  const unknown = dial(at, { token: device.accessToken, v2: true })
  expect(await refusedUpgrade(unknown)).toMatchObject({
    status: 401,
    body: { error: { code: 'device_unknown' } },
  })
  const without = await startBridge({ authenticator: at.tokens })
  const refused = dial(without, { token: device.accessToken, v2: true })
  expect(await refusedUpgrade(refused)).toMatchObject(REQUIRED)
})

test('[PROOF.3] W01: refuses a proof after a proxy changed the offered subprotocols', async () => {
  const at = await startDeviceBridge()
  const device = await at.enrol('ann')
  const port = await proxyThatOffers(at.port, 'bridgekeeper.v1, bridgekeeper.v2')
  await expect(provenDevice({ ...at, port }, device)).rejects.toThrow('closed while waiting')
})

/** A plain-text proxy that rewrites the offer. */
async function proxyThatOffers(target: number, offer: string): Promise<number> {
  const proxy = createHttpServer()
  proxy.on('upgrade', (request, socket) => {
    const headers = { ...request.headers, 'sec-websocket-protocol': offer }
    const onward = httpRequest({ port: target, path: request.url ?? '', headers })
    onward.on('upgrade', (response, upstream, head) => {
      const lines = Object.entries(response.headers).map(([name, value]) => `${name}: ${value}`)
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`)
      socket.write(head)
      upstream.pipe(socket).pipe(upstream)
      for (const one of [upstream, socket]) one.on('error', () => {})
    })
    onward.end()
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    proxy.closeAllConnections()
    proxy.close()
  })
  return (proxy.address() as AddressInfo).port
}
