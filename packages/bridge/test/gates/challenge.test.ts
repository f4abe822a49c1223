import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { generateChallenge, verifyChallengeResponse } from '../../src/gates/challenge.ts'

const hash = (text: string) => createHash('sha256').update(text).digest('hex')
const hex = fc.stringMatching(/^[0-9a-f]{64}$/)

test('[CHAL.1] encodes the random source’s 32 bytes in hex as the challenge', () => {
  const asked: number[] = []
  const random = {
    randomBytes: (count: number) => {
      asked.push(count)
      return Buffer.alloc(count, 0xa5)
    },
  }
  expect(generateChallenge(random)).toBe('a5'.repeat(32))
  expect(asked).toEqual([32])
})

test('[CHAL.2] verifies the seed’s answer: SHA-256 of the three texts, joined in this order', () => {
  const answer = {
    challenge: 'a5'.repeat(32),
    userId: 'user_ann',
    sessionId: 'session_1',
    response: '69f8ffb5a8f8e6a6d1c9d8b3e7d6bb4c0c6f9bf1c2b2e02e2a6d9d2a6e2f3a10',
  }
  expect(verifyChallengeResponse(answer)).toBe(false)
  const response = hash(`${'a5'.repeat(32)}user_annsession_1`)
  expect(verifyChallengeResponse({ ...answer, response })).toBe(true)
})

test('[CHAL.2] verifies only the right hash for any challenge and login', () => {
  fc.assert(
    fc.property(hex, fc.string(), fc.string(), hex, (challenge, userId, sessionId, other) => {
      const login = { challenge, userId, sessionId }
      const right = hash(challenge + userId + sessionId)
      expect(verifyChallengeResponse({ ...login, response: right })).toBe(true)
      expect(verifyChallengeResponse({ ...login, response: other })).toBe(other === right)
    }),
  )
})

test('[CHAL.2] refuses a right answer with one character changed, added or removed', () => {
  const login = { challenge: 'c'.repeat(64), userId: 'u', sessionId: 's' }
  const right = hash(`${login.challenge}us`)
  const verifies = (response: string) => verifyChallengeResponse({ ...login, response })
  for (let at = 0; at < right.length; at++) {
    const digit = right[at] === '0' ? '1' : '0'
    for (const middle of [digit, '', ' ', 'g', `0${right[at]}`]) {
      expect(verifies(right.slice(0, at) + middle + right.slice(at + 1)), `${at} ${middle}`).toBe(false)
    }
  }
  for (const response of [
    '',
    right.slice(2),
    `${right}00`,
    `${right}zz`,
    `zz${right}`,
    `${right}\n`,
    `0x${right}`,
  ])
    expect(verifies(response), response).toBe(false)
})

test('[CHAL.2] refuses an answer for another challenge, user or session', () => {
  const login = { challenge: 'c'.repeat(64), userId: 'ann', sessionId: 's' }
  const response = hash(`${login.challenge}anns`)
  for (const change of [{ challenge: 'd'.repeat(64) }, { userId: 'bob' }, { sessionId: 't' }])
    expect(verifyChallengeResponse({ ...login, ...change, response })).toBe(false)
})
