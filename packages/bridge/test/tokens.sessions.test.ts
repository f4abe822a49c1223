import { createTokens, memoryUsers, type User } from '@bridgekeeper/bridge'
import { expect, test } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'
import { deny } from '../src/gates/verdict.ts'
import type { LoginSession } from '../src/ports/sessions.ts'
import { memorySessions } from './support/identity-stores.ts'

const SECRET = Buffer.alloc(32, 7)
const ANN: User = {
  userId: 'ann',
  email: 'ann@example.com',
  tokenVersion: 0,
  createdAtMs: 0,
  state: 'active',
}
const ENDED = deny('login_revoked')

/** A token of Ann's login `s` with the given session; without one, it has ended. */
async function tokenWith(session: Partial<LoginSession> | undefined) {
  const system = new FakeSystem()
  const nowMs = system.nowMs()
  const whole: LoginSession = {
    sessionId: 's',
    userId: 'ann',
    kind: 'browser',
    label: '',
    createdAtMs: nowMs,
    seenAtMs: nowMs,
    expiresAtMs: nowMs + 600_000,
    ...session,
  }
  const sessions = memorySessions(session === undefined ? [] : [whole])
  const tokens = createTokens(SECRET, memoryUsers([ANN]), system, sessions)
  const { accessToken } = await tokens.renew(ANN, 's', 3_600_000)
  return { system, sessions, tokens, accessToken, authenticate: () => tokens.authenticate(accessToken) }
}

test('[LOGIN.1] accepts a token while its login exists, and drops it from the cache afterwards', async () => {
  const { authenticate, sessions } = await tokenWith({})
  expect(await authenticate()).toMatchObject({ allowed: true, value: { userId: 'ann', sessionId: 's' } })
  await sessions.end('s')
  expect(await authenticate()).toEqual(ENDED)
})

test('[LOGIN.1] refuses and does not cache a token of a missing login or another user’s', async () => {
  for (const session of [undefined, { userId: 'bob' }, { sessionId: 'other' }]) {
    const { authenticate, tokens, accessToken } = await tokenWith(session)
    expect(await authenticate()).toEqual(ENDED)
    expect(tokens.recall(accessToken)).toBeUndefined()
  }
})

test('[LOGIN.1] ends a login at its exact expiry, before its token', async () => {
  const { system, authenticate } = await tokenWith({})
  system.advance(599_999)
  expect(await authenticate()).toMatchObject({ allowed: true })
  system.advance(1)
  expect(await authenticate()).toEqual(ENDED)
})

test('[LOGIN.1] records the use of a login once a minute', async () => {
  const { system, sessions, authenticate } = await tokenWith({})
  const startMs = system.nowMs()
  const seenMs = async () => ((await sessions.find('s'))?.seenAtMs ?? 0) - startMs
  system.advance(59_999)
  await authenticate()
  expect(await seenMs()).toBe(0)
  system.advance(1)
  await authenticate()
  expect(await seenMs()).toBe(60_000)
})

test('[LOGIN.1] gives an issued token its own login, which lasts a second longer', async () => {
  const system = new FakeSystem()
  const sessions = memorySessions()
  const tokens = createTokens(SECRET, memoryUsers([ANN]), system, sessions)
  const { sessionId, accessToken } = await tokens.issue(ANN, 60_000)
  const nowMs = system.nowMs()
  expect(await sessions.find(sessionId)).toEqual({
    sessionId,
    userId: 'ann',
    kind: 'token',
    label: 'token issue',
    scopes: [
      'agent:connect',
      'tools:list',
      'tools:call:*/*',
      'prompts:read',
      'resources:read',
      'completion:use',
    ],
    createdAtMs: nowMs,
    seenAtMs: nowMs,
    expiresAtMs: nowMs + 61_000,
  })
  expect(await tokens.authenticate(accessToken)).toMatchObject({ value: { sessionId } })
})
