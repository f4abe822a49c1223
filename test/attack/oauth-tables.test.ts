import { generateKeyPairSync, type JsonWebKey, sign } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { allow, realSystem } from '@bridgekeeper/bridge'
import type { OAuthStore } from '@bridgekeeper/standalone/testing'
import { openSqliteStores } from '@bridgekeeper/standalone/testing'
import * as oauth from 'oauth4webapi'
import { expect, onTestFinished, test, vi } from 'vitest'
import { LIST } from '../support/attacker.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { bearer, post } from '../support/mcp.ts'
import { type OAuthNode, startOAuth } from '../support/oauth.ts'
import { ask, askToken, CALLBACK, connect, discover, INSECURE, register } from '../support/oauth-client.ts'
import { deviceParameters } from '../support/oauth-device.ts'
import { wordsOn } from '../support/person.ts'
import { scratch } from '../support/scratch.ts'

/** A node with its records in a file, so that the test can count them. */
async function nodeWithFile() {
  const file = join(scratch(), 'oauth.db')
  const stores = await openSqliteStores(file, realSystem())
  const db = new DatabaseSync(file)
  onTestFinished(async () => {
    db.close()
    await stores.close()
  })
  const node = await startOAuth({ parts: { store: stores.oauth } })
  const count = (model: string): number =>
    Number(db.prepare('select count(*) as n from oauth_records where model = ?').get(model)?.n)
  /** Adds unused clients with ascending expiry. */
  const fill = (clients: number, firstExpiresAtMs: number): void => {
    const add = db.prepare(
      'insert into oauth_records (model, id, payload, expires_at_ms) values (?, ?, ?, ?)',
    )
    db.exec('begin')
    for (let at = 0; at < clients; at++) add.run('Client', `filler${at}`, '{}', firstExpiresAtMs + at)
    db.exec('commit')
  }
  return { node, store: stores.oauth, count, fill }
}

/** A node with an in-memory store that counts added records per model. */
async function nodeThatCounts() {
  const { stores } = await startOAuth()
  const ids = new Map<string, Set<string>>()
  const store: OAuthStore = {
    ...stores.oauth,
    async put(record) {
      ids.set(record.model, (ids.get(record.model) ?? new Set()).add(record.id))
      await stores.oauth.put(record)
    },
  }
  const count = (model: string): number => ids.get(model)?.size ?? 0
  return { node: await startOAuth({ parts: { store } }), count }
}

const registration = (node: OAuthNode, metadata: object) =>
  fetch(`${node.url}/oauth/register`, {
    method: 'POST',
    body: JSON.stringify({ redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none', ...metadata }),
    headers: { 'content-type': 'application/json' },
  })

test('[OAUTH.23] allows one address 200 authorization requests in ten minutes, and keeps other endpoints open to it', async () => {
  const { node, count } = await nodeThatCounts()
  const { url } = await ask(await register(node))
  const statuses: number[] = []
  for (let at = 0; at < 210; at++) statuses.push((await fetch(url, { redirect: 'manual' })).status)
  expect(statuses).toEqual([...Array(200).fill(303), ...Array(10).fill(429)])
  expect(count('Interaction')).toBe(200)
  expect((await fetch(`${node.url}/oauth/jwks`)).status).toBe(200)
})

test('[OAUTH.23] does not limit users behind a proxy as one address', async () => {
  const address = { ip: '192.0.2.1', key: '192.0.2.1', isProxy: true }
  const door = {
    enter: () => allow(address),
    beginCheck: async () => allow(() => {}),
    failed: () => {},
  }
  const node = await startOAuth({ parts: { door } })
  const { url } = await ask(await register(node))
  const statuses = new Set<number>()
  for (let at = 0; at < 205; at++) statuses.add((await fetch(url, { redirect: 'manual' })).status)
  expect([...statuses]).toEqual([303])
})

test('[OAUTH.23] stops adding records for a logged-in user who reopens the machine page endlessly', async () => {
  const { node, count } = await nodeThatCounts()
  const person = await node.login('ann')
  for (let at = 0; at < 210; at++) await person.send('GET', `${node.url}/device`)
  expect(count('Session')).toBe(200)
  expect((await person.send('GET', `${node.url}/device`)).status).toBe(429)
})

test('[OAUTH.24] limits the size of a client’s metadata and of a stored request', async () => {
  const { node, count } = await nodeThatCounts()
  expect((await registration(node, { client_name: 'x'.repeat(4_000) })).status).toBe(201)
  const refused = await registration(node, { client_name: 'x'.repeat(9_000) })
  expect(refused.status).toBe(400)
  expect(await refused.json()).toMatchObject({ error: 'invalid_client_metadata' })
  expect(count('Client')).toBe(1)
  const parameters = { client_id: 'bridgekeeper-agent', ...deviceParameters(node) }
  const device = (login_hint: string) =>
    fetch(`${node.url}/oauth/device`, {
      method: 'POST',
      body: new URLSearchParams({ ...parameters, login_hint }),
    })
  expect((await device('x'.repeat(1_000))).status).toBe(200)
  expect((await device('x'.repeat(40_000))).status).toBe(400)
  expect(count('DeviceCode')).toBe(1)
})

test('[OAUTH.24] evicts the oldest unused clients above ten thousand', async () => {
  const { node, store, count, fill } = await nodeWithFile()
  const used = await register(node)
  const person = await node.login('ann')
  await connect(person, used)
  const inDays = (days: number) => Date.now() + days * 86_400_000
  fill(10_000, inDays(2))
  expect(count('Client')).toBe(10_001)
  // Another node checks the cap with its first client, and then with every hundredth.
  const next = await startOAuth({ parts: { store } })
  const fresh = await register(next)
  expect(count('Client')).toBe(10_000)
  expect(await store.find('Client', 'filler0')).toBeUndefined()
  expect(await store.find('Client', 'filler9999')).toBeDefined()
  expect((await connect(await next.login('ann'), fresh)).token_type).toBe('bearer')
  expect((await connect(person, used)).token_type).toBe('bearer')
})

test('[OAUTH.24] forgets an unapproved client after three days, and keeps an approved one', async () => {
  const system = new FakeSystem()
  const node = await startOAuth({ system })
  const [used, unused] = [await register(node), await register(node)]
  await connect(await node.login('ann'), used)
  system.advance(3 * 86_400_000 + 1)
  const person = await node.login('ann')
  expect(wordsOn(await person.visit((await ask(used)).url.href))).toContain('Connect an app?')
  expect(wordsOn(await person.visit((await ask(unused)).url.href))).toContain('client is invalid')
})

test('[OAUTH.12] keeps at most twenty used refresh tokens of a grant, and its live one', async () => {
  const { node, count } = await nodeWithFile()
  const app = await register(node)
  const other = await connect(await node.login('bob'), app)
  let tokens = await connect(await node.login('ann'), app)
  const { as, client, auth } = app
  const used: string[] = []
  for (let at = 0; at < 40; at++) {
    used.push(String(tokens.refresh_token))
    tokens = await oauth.processRefreshTokenResponse(
      as,
      client,
      await oauth.refreshTokenGrantRequest(as, client, auth, String(tokens.refresh_token), INSECURE),
    )
  }
  // Twenty used tokens and the live one of ann's grant, and the only one of bob's.
  expect(count('RefreshToken')).toBe(22)
  expect((await post(node, '/mcp', LIST, bearer(tokens.access_token))).status).toBe(200)
  const again = (token: string) =>
    askToken(as, { grant_type: 'refresh_token', client_id: client.client_id, refresh_token: token })
  expect((await again(String(other.refresh_token))).status).toBe(200)
  expect((await again(String(used[0]))).body.error).toBe('invalid_grant')
  expect((await post(node, '/mcp', LIST, bearer(tokens.access_token))).status).toBe(200)
  // A copy of a recent one is still found out, once its grace is over.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 11_000 })
  onTestFinished(() => void vi.useRealTimers())
  expect((await again(String(used.at(-2)))).body.error).toBe('invalid_grant')
  expect((await post(node, '/mcp', LIST, bearer(tokens.access_token))).status).toBe(401)
})

test('[OAUTH.24] refuses a client assertion that is valid for longer than fifteen minutes', async () => {
  const { node, count } = await nodeWithFile()
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const jwk = { ...publicKey.export({ format: 'jwk' }), alg: 'EdDSA', use: 'sig', kid: '1' } as JsonWebKey
  const answer = await registration(node, {
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'EdDSA',
    jwks: { keys: [jwk] },
  })
  const { client_id } = (await answer.json()) as { client_id: string }
  const as = await discover(node)
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const askWith = (lifetimeSeconds: number) => {
    const now = Math.floor(Date.now() / 1_000)
    const claims = {
      ...{ iss: client_id, sub: client_id, aud: node.url, jti: `id${lifetimeSeconds}` },
      ...{ iat: now, exp: now + lifetimeSeconds },
    }
    const input = `${part({ alg: 'EdDSA', kid: '1' })}.${part(claims)}`
    return askToken(as, {
      grant_type: 'refresh_token',
      refresh_token: 'x',
      client_id,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`,
    })
  }
  expect((await askWith(800)).body).toMatchObject({ error: 'invalid_grant' })
  expect(count('ReplayDetection')).toBe(1)
  expect((await askWith(1_000)).body.error).toBe('invalid_client')
  expect((await askWith(10 ** 9)).body.error).toBe('invalid_client')
  expect(count('ReplayDetection')).toBe(1)
})
