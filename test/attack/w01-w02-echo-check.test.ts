import { createHash } from 'node:crypto'
import { decodeJwt } from 'jose'
import { expect, test } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { dial } from '../support/peer.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

test('[CHAL.2] W01: the echo check of v1 verifies a thief who has only the token', async () => {
  const at = await startBridge()
  const { accessToken } = await at.token('ann')
  const { sub, sid } = decodeJwt(accessToken) as { sub: string; sid: string }
  const thief = dial(at, { token: accessToken })
  const { challenge } = await thief.next('challenge')
  thief.send({ type: 'challenge_response', response: sha256(`${challenge}${sub}${sid}`) })
  await thief.next('challenge_verified')
})

test('[CHAL.1] W01: refuses a recorded answer on the next connection', async () => {
  const at = await startBridge()
  const issued = await at.token('ann')
  const watched = dial(at, { token: issued.accessToken })
  const { challenge } = await watched.next('challenge')
  const recorded = sha256(`${challenge}${issued.userId}${issued.sessionId}`)
  watched.send({ type: 'challenge_response', response: recorded })
  await watched.next('challenge_verified')

  const replay = dial(at, { token: issued.accessToken })
  await replay.next('challenge')
  replay.send({ type: 'challenge_response', response: recorded })
  expect(await replay.next('error')).toMatchObject({ error: 'challenge_failed' })
})

test('[CHAL.2] W02: refuses hashes of fewer parts, in another order or of another session', async () => {
  const at = await startBridge({ trustedProxies: ['127.0.0.1'] })
  const issued = await at.token('ann')
  const other = await at.token('ann')
  const { userId, sessionId } = issued
  const answers = (challenge: string): readonly string[] => {
    const right = sha256(challenge + userId + sessionId)
    return [
      '',
      right.slice(0, 63),
      `${right}0`,
      ` ${right}`,
      sha256(challenge),
      sha256(challenge + userId),
      sha256(challenge + sessionId),
      sha256(challenge + sessionId + userId),
      sha256(userId + sessionId + challenge),
      sha256(challenge + userId + other.sessionId),
      sha256(`${challenge}user_bob${sessionId}`),
      sha256(`${challenge}:${userId}:${sessionId}`),
      sha256(sha256(challenge + userId + sessionId)),
    ]
  }
  const count = answers('').length
  for (let index = 0; index < count; index++) {
    const headers = { authorization: `Bearer ${issued.accessToken}`, 'x-forwarded-for': `10.0.0.${index}` }
    const peer = dial(at, { socketOptions: { headers } })
    const { challenge } = await peer.next('challenge')
    peer.send({ type: 'challenge_response', response: answers(String(challenge))[index] })
    expect(await peer.next('error'), String(index)).toMatchObject({
      error: expect.stringMatching(/^(?:challenge_failed|message_invalid)$/),
    })
    peer.socket.terminate()
  }
})
