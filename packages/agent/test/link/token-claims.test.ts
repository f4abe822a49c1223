import { expect, test } from 'vitest'
import { tokenClaims } from '../../src/link/token-claims.ts'
import { tokenOf } from '../support/linked.ts'

const KNOWN = { userId: 'u', sessionId: 's' }

test('[LINK.3] reads user and session of a token, or takes the given ones', () => {
  const token = tokenOf({ sub: 'user', sid: 'session' })
  expect(tokenClaims(token, {})).toEqual({ userId: 'user', sessionId: 'session' })
  expect(tokenClaims(token, { userId: 'u' })).toEqual({ userId: 'u', sessionId: 'session' })
  expect(tokenClaims(token, { sessionId: 's' })).toEqual({ userId: 'user', sessionId: 's' })
  expect(tokenClaims('opaque', KNOWN)).toEqual(KNOWN)
})

test.each([
  'opaque',
  'a.b.c',
  `a.${Buffer.from('null').toString('base64url')}.c`,
  tokenOf({ sub: 'user' }),
  tokenOf({ sid: 'session' }),
  tokenOf({ sub: 1, sid: 'session' }),
  tokenOf({ sub: 'user', sid: null }),
])('[LINK.3] refuses a token without readable user and session: %s', (token) => {
  expect(() => tokenClaims(token, {})).toThrow(expect.objectContaining({ code: 'token_unreadable' }))
})
