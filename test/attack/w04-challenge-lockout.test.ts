import type { IssuedToken } from '@bridgekeeper/bridge'
import { expect, test } from 'vitest'
import { startBridge, type TestBridge } from '../support/bridge.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { type Closed, dial, type Message, verifiedPeer } from '../support/peer.ts'
import { tryUpgrade } from '../support/raw.ts'
import { Recorded } from '../support/recorded.ts'

const WRONG = { type: 'challenge_response', response: 'f'.repeat(64) }

/** Sends a wrong answer on a new connection. */
async function wrongAnswer(
  at: TestBridge,
  { accessToken }: IssuedToken,
  from: string,
): Promise<Message | Closed> {
  const headers = { authorization: `Bearer ${accessToken}`, 'x-forwarded-for': from }
  const peer = dial(at, { v2: true, socketOptions: { headers } })
  await peer.next('challenge')
  peer.send(WRONG)
  const told = await Promise.race([peer.next('error'), peer.closed])
  peer.socket.terminate()
  return told
}

const connect = (at: TestBridge, { accessToken }: IssuedToken, from: string) =>
  tryUpgrade(at, { token: accessToken, headers: [`X-Forwarded-For: ${from}`] })

test('[CHAL.6] W04: after three wrong answers over three sockets, refuses with 429 before the handshake, also a fresh token', async () => {
  const system = new FakeSystem()
  const log = new Recorded()
  const at = await startBridge({ system, trustedProxies: ['127.0.0.1'], securityLog: log.securityLog })
  const ann = await at.token('ann', 86_400_000)
  for (let attempt = 0; attempt < 3; attempt++) await wrongAnswer(at, ann, '10.0.0.1')
  for (const login of [ann, await at.token('ann', 86_400_000)]) {
    const refused = await connect(at, login, '10.0.0.1')
    expect(refused).toMatchObject({ status: 429, code: 'challenge_locked' })
    expect(refused.headers.get('retry-after')).toBe('60')
  }
  expect(log.named('challenge_locked')).toMatchObject([
    { userId: 'user_ann', ip: '10.0.0.1', retryAfter: 60 },
  ])

  system.advance(60_000)
  expect(await connect(at, ann, '10.0.0.1')).toMatchObject({ status: 101 })
  for (let attempt = 0; attempt < 3; attempt++) await wrongAnswer(at, ann, '10.0.0.1')
  expect((await connect(at, ann, '10.0.0.1')).headers.get('retry-after')).toBe('120')
})

test('[CHAL.6] W04: closes the connection that gives the third wrong answer, with the reason', async () => {
  const at = await startBridge({ trustedProxies: ['127.0.0.1'] })
  const ann = await at.token('ann')
  expect(await wrongAnswer(at, ann, '10.0.0.1')).toMatchObject({ error: 'challenge_failed' })
  expect(await wrongAnswer(at, ann, '10.0.0.1')).toMatchObject({ error: 'challenge_failed' })
  const peer = dial(at, {
    socketOptions: {
      headers: { authorization: `Bearer ${ann.accessToken}`, 'x-forwarded-for': '10.0.0.1' },
    },
  })
  await peer.next('challenge')
  peer.send(WRONG)
  expect(await peer.closed).toEqual({ code: 1008, reason: 'challenge_locked' })
})

test('[CHAL.6] W04: a lock closes the open challenges of that user and address, and no verified connection', async () => {
  const at = await startBridge()
  const [ann, bob] = [await at.token('ann'), await at.token('bob')]
  const verified = await verifiedPeer(at, await at.token('ann'))
  const [spare, wrong] = [dial(at, { token: ann.accessToken }), dial(at, { token: ann.accessToken })]
  const others = dial(at, { token: bob.accessToken })
  await spare.next('challenge')
  const othersChallenge = await others.next('challenge')
  await wrong.next('challenge')
  for (let attempt = 0; attempt < 3; attempt++) wrong.send(WRONG)
  expect(await spare.closed).toEqual({ code: 1008, reason: 'challenge_locked' })
  others.answer(othersChallenge, bob)
  await others.next('challenge_verified')
  verified.send({ type: 'ping' })
  await verified.next('pong')
})

test('[CHAL.7] W04: a lock affects neither the user at another address nor other users at that address', async () => {
  const at = await startBridge({ trustedProxies: ['127.0.0.1'] })
  const [ann, bob] = [await at.token('ann'), await at.token('bob')]
  for (let attempt = 0; attempt < 3; attempt++) await wrongAnswer(at, ann, '10.0.0.1')
  expect(await connect(at, ann, '10.0.0.1')).toMatchObject({ status: 429 })
  expect(await connect(at, ann, '10.0.0.2')).toMatchObject({ status: 101 })
  expect(await connect(at, bob, '10.0.0.1')).toMatchObject({ status: 101 })
})

test('[CHAL.7] W04: a right answer resets the count of wrong ones', async () => {
  const at = await startBridge()
  const ann = await at.token('ann')
  for (let round = 0; round < 3; round++) {
    const peer = dial(at, { token: ann.accessToken })
    const challenge = await peer.next('challenge')
    for (let wrong = 0; wrong < 2; wrong++) {
      peer.send(WRONG)
      await peer.next('error')
    }
    peer.answer(challenge, ann)
    await peer.next('challenge_verified')
  }
})
