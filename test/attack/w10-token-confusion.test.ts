import { createTokens, memoryUsers, realSystem } from '@bridgekeeper/bridge'
import { expect, test } from 'vitest'
import { SECRET, startBridge, user } from '../support/bridge.ts'
import { atEveryDoor, everyDoor, hmacToken, partsOf } from '../support/forge.ts'

/** Every one is signed with the bridge's own secret, as by another service that shares it. */
test.each<[string, object, object]>([
  ['a refresh token without a type', {}, { typ: 'JWT' }],
  ['an ID token', { nonce: 'n' }, { typ: 'id_token+jwt' }],
  ['a logout token', { events: {} }, { typ: 'logout+jwt' }],
  ['a token without any type', {}, { typ: undefined }],
  ['a token with a type that is not a string', {}, { typ: ['at+jwt'] }],
  ['a token for another service', { aud: 'https://other.example' }, {}],
  ['a token with an empty audience', { aud: [] }, {}],
  ['a token without an audience', { aud: undefined }, {}],
  ['a token of another issuer', { iss: 'https://evil.example' }, {}],
  ['a token of several issuers', { iss: ['bridgekeeper'] }, {}],
  ['a token without an issuer', { iss: undefined }, {}],
  ['a token without an expiry', { exp: undefined }, {}],
  ['a token with a string as expiry', { exp: '4000000000' }, {}],
  ['a token that is not valid yet', { nbf: 4_000_000_000 }, {}],
  ['a token issued in the future', { iat: 4_000_000_000 }, {}],
  ['a token without a session', { sid: undefined }, {}],
  ['a token without an id', { jti: undefined }, {}],
  ['a token without a version', { tv: undefined }, {}],
  ['a token with a string as version', { tv: '0' }, {}],
  ['a token with an object as user', { sub: { $ne: '' } }, {}],
  ['a token with a list as scope', { scope: ['tools:list'] }, {}],
])('[AUTH.5] W10: refuses at every door %s', async (_what, claims, header) => {
  const bridge = await startBridge()
  const mine = partsOf((await bridge.token('ann')).accessToken)
  const token = hmacToken({ ...mine.header, ...header }, { ...mine.claims, ...claims }, SECRET)
  expect(await atEveryDoor(bridge, token)).toEqual(everyDoor('token_invalid'))
  const unchanged = hmacToken(mine.header, mine.claims, SECRET)
  expect(await atEveryDoor(bridge, unchanged)).toEqual(everyDoor('let in'))
})

test('[AUTH.4] W10: refuses a token at every door one second after it expired', async () => {
  const bridge = await startBridge()
  const { accessToken } = await bridge.token('ann', -1_000)
  expect(await atEveryDoor(bridge, accessToken)).toEqual(everyDoor('token_expired'))
})

test('[AUTH.12] W09: refuses a suspended user at every door', async () => {
  const users = memoryUsers([user('ann'), user('bob')])
  const bridge = await startBridge({ authenticator: createTokens(SECRET, users, realSystem()) })
  await users.setState('user_ann', 'suspended')
  const [anns, bobs] = await Promise.all([bridge.token('ann'), bridge.token('bob')])
  expect(await atEveryDoor(bridge, anns.accessToken)).toEqual(everyDoor('user_suspended'))
  expect(await atEveryDoor(bridge, bobs.accessToken)).toEqual(everyDoor('let in'))
})

test('[AUTH.7] W09: refuses a token from before a logout everywhere at every door', async () => {
  const users = memoryUsers([user('ann')])
  const bridge = await startBridge({ authenticator: createTokens(SECRET, users, realSystem()) })
  const { accessToken } = await bridge.token('ann')
  await users.raiseTokenVersion('user_ann')
  expect(await atEveryDoor(bridge, accessToken)).toEqual(everyDoor('login_revoked'))
  const { header, claims } = partsOf(accessToken)
  const later = hmacToken(header, { ...claims, tv: 2 }, SECRET)
  expect(await atEveryDoor(bridge, later)).toEqual(everyDoor('login_revoked'))
})
