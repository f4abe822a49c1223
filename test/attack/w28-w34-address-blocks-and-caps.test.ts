import { createTokens, memoryUsers, realSystem } from '@bridgekeeper/bridge'
import { expect, test } from 'vitest'
import { SECRET, startBridge, type TestBridge, user } from '../support/bridge.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { dial, verifiedPeer } from '../support/peer.ts'
import { tryUpgrade } from '../support/raw.ts'
import { Recorded } from '../support/recorded.ts'

const behind = (address: string) => [`X-Forwarded-For: ${address}`]
const guess = (at: TestBridge, address: string) =>
  tryUpgrade(at, { token: 'a.b.c', headers: behind(address) })

async function call(at: TestBridge, token: string, address: string) {
  return await post(at, '/mcp', toolCall('s__t'), { ...bearer(token), 'x-forwarded-for': address })
}

test('[ADDR.1] W28: blocks an address for an hour after ten failures, in plain HTTP, at both doors, also with a valid token', async () => {
  const system = new FakeSystem()
  const log = new Recorded()
  const at = await startBridge({ system, trustedProxies: ['127.0.0.1'], securityLog: log.securityLog })
  const { accessToken: token } = await at.token('ann', 86_400_000)
  const attacker = '203.0.113.7'
  for (let failure = 0; failure < 10; failure++)
    expect(await guess(at, attacker), String(failure)).toMatchObject({ status: 401 })
  const blocked = async () => {
    for (const v2 of [true, false]) {
      const answer = await tryUpgrade(at, { token, v2, headers: behind(attacker) })
      expect(answer).toMatchObject({ status: 403, code: 'address_blocked' })
      expect(answer.headers.has('sec-websocket-accept')).toBe(false)
    }
    const answer = await call(at, token, attacker)
    expect(answer).toMatchObject({ status: 403, json: { error: { data: { code: 'address_blocked' } } } })
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  }
  await blocked()
  expect((await tryUpgrade(at, { token, headers: behind('203.0.113.8') })).status).toBe(101)
  system.advance(3_599_000)
  await blocked()
  system.advance(1_001)
  expect((await tryUpgrade(at, { token, headers: behind(attacker) })).status).toBe(101)
  expect(log.named('address_blocked')).toMatchObject([{ ip: attacker, retryAfter: 3_600 }])
})

test('[ADDR.1] W28: counts failures at `/mcp`, at the agents’ path and of challenges together', async () => {
  const at = await startBridge({ trustedProxies: ['127.0.0.1'] })
  for (let failure = 0; failure < 5; failure++) {
    expect((await call(at, 'a.b.c', '203.0.113.7')).status).toBe(401)
    await guess(at, '203.0.113.7')
  }
  expect((await guess(at, '203.0.113.7')).status).toBe(403)

  for (const name of ['ann', 'bob']) {
    const { accessToken } = await at.token(name)
    const headers = { authorization: `Bearer ${accessToken}`, 'x-forwarded-for': '203.0.113.9' }
    const peer = dial(at, { socketOptions: { headers } })
    await peer.next('challenge')
    for (let wrong = 0; wrong < 3; wrong++)
      peer.send({ type: 'challenge_response', response: 'f'.repeat(64) })
    await peer.closed
    for (let failure = 0; failure < 2; failure++) await guess(at, '203.0.113.9')
  }
  expect((await guess(at, '203.0.113.9')).status).toBe(403)
})

test('[ADDR.2] W28: never blocks a trusted proxy', async () => {
  const at = await startBridge({ trustedProxies: ['127.0.0.1', '10.0.0.0/8'] })
  for (let failure = 0; failure < 15; failure++) {
    expect((await tryUpgrade(at, { token: 'a.b.c' })).status).toBe(401)
    expect((await guess(at, 'nonsense')).status).toBe(401)
    expect((await guess(at, '10.0.0.1, nonsense, 10.0.0.1')).status).toBe(401)
  }
})

test('[ADDR.6] W28: blocks a client inside the trusted range by its own address, and no other client there', async () => {
  const at = await startBridge({ trustedProxies: ['127.0.0.1', '10.0.0.0/8'] })
  for (let failure = 0; failure < 10; failure++) await guess(at, '10.1.2.3, 10.0.0.9')
  const { accessToken: token } = await at.token('ann')
  const from = async (address: string) => (await tryUpgrade(at, { token, headers: behind(address) })).code
  expect(await from('10.1.2.3')).toBe('address_blocked')
  expect(await from('10.1.2.4, 10.0.0.9')).toBeUndefined()
  expect(await from('10.1.2.3, 198.51.100.1')).toBeUndefined()
})

test('[ADDR.5] W28: does not block for requests to `/mcp` without a token or with an expired one', async () => {
  const at = await startBridge({ trustedProxies: ['127.0.0.1'] })
  const expired = await at.token('ann', -60_000)
  for (let failure = 0; failure < 15; failure++) {
    expect((await post(at, '/mcp', toolCall('s__t'), { 'x-forwarded-for': '203.0.113.7' })).status).toBe(401)
    expect((await call(at, expired.accessToken, '203.0.113.7')).status).toBe(401)
  }
})

test('[ADDR.5] W28: does not block visitors of a page whose images request `/mcp?token=x`', async () => {
  const at = await startBridge()
  for (let image = 0; image < 15; image++) expect((await fetch(`${at.url}/mcp?token=x`)).status).toBe(400)
  const { accessToken } = await at.token('ann')
  expect((await tryUpgrade(at, { token: accessToken })).status).toBe(101)
})

test('[CONN.2] W28: refuses the 121st handshake of an address within a minute with 429, and no other address', async () => {
  const at = await startBridge({ trustedProxies: ['127.0.0.1'] })
  const { accessToken: token } = await at.token('ann')
  const connect = (address: string) => tryUpgrade(at, { token, v2: false, headers: behind(address) })
  for (let attempt = 0; attempt < 120; attempt++) expect((await connect('203.0.113.7')).status).toBe(101)
  const refused = await connect('203.0.113.7')
  expect(refused).toMatchObject({ status: 429, code: 'handshake_rate_exceeded' })
  expect(refused.headers.get('retry-after')).toBe('60')
  expect((await connect('203.0.113.8')).status).toBe(101)
})

test('[CONN.1] W28: limits connections per address, per user and in all, even when they arrive at once', async () => {
  const limits = { inAll: 9, perAddress: 4, perUser: 6, handshakes: 1_000, handshakeWindowMs: 60_000 }
  const slow = {
    last: () => new Promise<undefined>((resolve) => setTimeout(resolve, 20, undefined)),
    remember: () => Promise.resolve(),
  }
  const at = await startBridge({
    trustedProxies: ['127.0.0.1'],
    connectionLimits: limits,
    stores: { fingerprints: slow },
  })
  const burst = async (name: string, address: string): Promise<number> => {
    const { accessToken } = await at.token(name)
    const headers = { authorization: `Bearer ${accessToken}`, 'x-forwarded-for': address }
    const peers = Array.from({ length: 12 }, () => dial(at, { v2: true, socketOptions: { headers } }))
    const opened = await Promise.all(
      peers.map((peer) =>
        peer.next('challenge').then(
          () => 1,
          () => 0,
        ),
      ),
    )
    return opened.reduce((sum: number, one) => sum + one, 0)
  }
  expect(await burst('ann', '203.0.113.1')).toBe(4)
  expect(await burst('ann', '203.0.113.2')).toBe(2)
  expect(await burst('bob', '203.0.113.3')).toBe(3)
  expect(
    await tryUpgrade(at, { token: (await at.token('bob')).accessToken, headers: behind('203.0.113.4') }),
  ).toMatchObject({
    status: 429,
    code: 'too_many_connections',
  })
})

test('[CONN.1] W28: frees a connection’s place when it ends, closed or terminated', async () => {
  const limits = { inAll: 3, perAddress: 3, perUser: 3, handshakes: 1_000, handshakeWindowMs: 60_000 }
  const at = await startBridge({ connectionLimits: limits })
  for (let round = 0; round < 5; round++) {
    const peers = []
    for (let index = 0; index < 3; index++) peers.push(await verifiedPeer(at, await at.token('ann')))
    for (const [index, peer] of peers.entries()) {
      if (index % 2 === 0) peer.socket.terminate()
      else peer.socket.close()
      await peer.closed
    }
    // The bridge may notice the end a moment after the client.
    await expect
      .poll(async () => (await tryUpgrade(at, { token: (await at.token('ann')).accessToken })).status)
      .toBe(101)
    await expect.poll(() => openSockets(at)).toBe(0)
  }
})

test('[ADDR.1] W34: refuses by address, host, origin or URL without verifying the token', async () => {
  let asked = 0
  const tokens = createTokens(SECRET, memoryUsers([user('ann')]), realSystem())
  const authenticator = {
    recall: (token: string) => tokens.recall(token),
    authenticate(token: string) {
      asked++
      return tokens.authenticate(token)
    },
  }
  const at = await startBridge({ authenticator, trustedProxies: ['127.0.0.1'] })
  for (let failure = 0; failure < 10; failure++) await guess(at, '203.0.113.7')
  expect(asked).toBe(10)
  const { accessToken: token } = await tokens.issue(user('ann'), 60_000)
  await tryUpgrade(at, { token, headers: behind('203.0.113.7') })
  await call(at, token, '203.0.113.7')
  await tryUpgrade(at, { token, headers: ['Origin: https://evil.example'] })
  await tryUpgrade(at, { token, headers: ['Host: evil.example'] })
  await tryUpgrade(at, { token, path: `/api/mcp-ws?token=${token}` })
  expect(asked).toBe(10)
})

function openSockets(at: TestBridge): Promise<number> {
  return new Promise((resolve, reject) =>
    at.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
  )
}
