import { expect, test } from 'vitest'
import { startBridge, type TestBridge } from '../support/bridge.ts'
import { dial, verifiedPeer } from '../support/peer.ts'
import { tryUpgrade } from '../support/raw.ts'
import { Recorded } from '../support/recorded.ts'

const BAD = { token: 'a.b.c' }

async function fails(at: TestBridge, times: number, forwardedFor: (index: number) => string): Promise<void> {
  for (let index = 0; index < times; index++)
    await tryUpgrade(at, { ...BAD, headers: [`X-Forwarded-For: ${forwardedFor(index)}`] })
}

test('[ADDR.4] W18 W38: ignores X-Forwarded-For from an untrusted peer', async () => {
  const log = new Recorded()
  const at = await startBridge({ securityLog: log.securityLog })
  await fails(at, 10, (index) => `6.6.6.${index}`)
  expect(log.named('address_blocked')).toMatchObject([{ ip: '127.0.0.1' }])
  expect(new Set(log.events.map(({ ip }) => ip))).toEqual(new Set(['127.0.0.1']))
})

test('[ADDR.2] W18: ignores what the client itself wrote into X-Forwarded-For behind a trusted proxy', async () => {
  const log = new Recorded()
  const at = await startBridge({
    securityLog: log.securityLog,
    trustedProxies: ['127.0.0.1', '10.0.0.0/8', '::1'],
  })
  await fails(at, 10, (index) => `127.0.0.1, 1.2.3.${index}, 203.0.113.9, 10.1.1.1`)
  expect(log.named('address_blocked')).toMatchObject([{ ip: '203.0.113.9' }])
  const { accessToken: token } = await at.token('ann')
  const from = (address: string) => tryUpgrade(at, { token, headers: [`X-Forwarded-For: ${address}`] })
  expect(await from('203.0.113.9')).toMatchObject({ status: 403, code: 'address_blocked' })
  expect(await from('203.0.113.9, 198.51.100.1')).toMatchObject({ status: 101 })
})

test('[ADDR.3] W18: counts one IPv6 network, and all spellings of one address, as one', async () => {
  const at = await startBridge({ trustedProxies: ['127.0.0.1'] })
  await fails(at, 10, (index) => `2001:db8:1:2::${(index + 1).toString(16)}`)
  await fails(
    at,
    10,
    (index) => ['::ffff:192.0.2.1', '192.0.2.1', '[::ffff:c000:201]:99', '192.0.2.1:5'][index % 4] as string,
  )
  const { accessToken: token } = await at.token('ann')
  const status = async (address: string) =>
    (await tryUpgrade(at, { token, headers: [`X-Forwarded-For: ${address}`] })).status
  expect(await status('2001:DB8:1:2:ffff::1')).toBe(403)
  expect(await status('2001:db8:1:3::1')).toBe(101)
  expect(await status('192.0.2.1')).toBe(403)
  expect(await status('192.0.2.2')).toBe(101)
})

test('[FP.1] W18: compares a login with the place where it was seen last', async () => {
  const log = new Recorded()
  const at = await startBridge({ trustedProxies: ['127.0.0.1'], securityLog: log.securityLog })
  const issued = await at.token('ann')
  const from = async (address: string, agent: string) => {
    const headers = {
      authorization: `Bearer ${issued.accessToken}`,
      'x-forwarded-for': address,
      'user-agent': agent,
    }
    const peer = await verifiedPeer(at, issued, { socketOptions: { headers } })
    peer.socket.terminate()
    return log.named('fingerprint_changed').length
  }
  expect(await from('10.0.0.1', 'agent/1')).toBe(0)
  expect(await from('10.0.0.1', 'agent/1')).toBe(0)
  expect(await from('10.0.0.2', 'agent/1')).toBe(1)
  expect(await from('10.0.0.2', 'agent/2')).toBe(2)
  expect(await from('10.0.0.2', 'agent/2')).toBe(2)
  expect(
    JSON.stringify(log.named('fingerprint_changed')).match(/"fingerprint":"[0-9a-f]{64}"/g),
  ).toHaveLength(2)
})

const elsewhere = (accessToken: string, address: string) => ({
  v2: true,
  socketOptions: { headers: { authorization: `Bearer ${accessToken}`, 'x-forwarded-for': address } },
})

test('[FP.2] W18: with `challenge`, gives a token elsewhere one attempt, and does not learn the place from a failure', async () => {
  const at = await startBridge({ trustedProxies: ['127.0.0.1'], fingerprints: 'challenge' })
  const issued = await at.token('ann')
  await verifiedPeer(at, issued, elsewhere(issued.accessToken, '10.0.0.1'))
  for (let attempt = 0; attempt < 2; attempt++) {
    const thief = dial(at, elsewhere(issued.accessToken, '10.0.0.2'))
    await thief.next('challenge')
    thief.send({ type: 'challenge_response', response: 'f'.repeat(64) })
    expect(await thief.closed).toEqual({ code: 1008, reason: 'challenge_failed' })
  }
  await verifiedPeer(at, issued, elsewhere(issued.accessToken, '10.0.0.1'))
})

test('[FP.3] W18: with `block`, refuses a stolen token elsewhere and accepts it in its place', async () => {
  const at = await startBridge({ trustedProxies: ['127.0.0.1'], fingerprints: 'block' })
  const issued = await at.token('ann')
  await verifiedPeer(at, issued, elsewhere(issued.accessToken, '10.0.0.1'))
  const headers = ['X-Forwarded-For: 10.0.0.2']
  const answer = await tryUpgrade(at, { token: issued.accessToken, headers })
  expect(answer).toMatchObject({ status: 403, code: 'fingerprint_changed' })
  await verifiedPeer(at, issued, elsewhere(issued.accessToken, '10.0.0.1'))
})

test('[FP.4] W18: keys fingerprints with a secret, so that equal places differ between bridges', async () => {
  const fingerprints: (string | undefined)[] = []
  for (const key of [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]) {
    const log = new Recorded()
    const at = await startBridge({ fingerprintKey: key, securityLog: log.securityLog })
    await verifiedPeer(at, await at.token('ann'), { socketOptions: {} })
    const [event] = log.named('ws_connection_established')
    fingerprints.push(event !== undefined && 'fingerprint' in event ? String(event.fingerprint) : undefined)
  }
  expect(fingerprints[0]).toMatch(/^[0-9a-f]{64}$/)
  expect(fingerprints[0]).not.toBe(fingerprints[1])
})
