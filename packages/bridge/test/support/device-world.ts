import { createHash, generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { canonicalJson } from '@bridgekeeper/protocol'
import { type JWTPayload, SignJWT } from 'jose'
import { onTestFinished } from 'vitest'
import { DeviceRegistry } from '../../src/devices/device-registry.ts'
import { DeviceEndpoint } from '../../src/devices/endpoint.ts'
import type { ClientAddress } from '../../src/gates/request-facts.ts'
import { allow } from '../../src/gates/verdict.ts'
import { callbackLog, memoryUsers } from '../../src/memory.ts'
import type { System, User } from '../../src/ports.ts'
import type { SecurityEvent } from '../../src/security-log/events.ts'
import { realSystem } from '../../src/system.ts'
import { AccessTokens } from '../../src/tokens/access-tokens.ts'
import { loadSigningKey } from '../../src/tokens/signing-key.ts'
import { memoryDevices, memoryKeys, memorySessions } from './identity-stores.ts'

const NAMES = ['ann', 'bob'] as const
const users: readonly User[] = NAMES.map((userId) => ({
  userId,
  email: `${userId}@example.com`,
  tokenVersion: 0,
  createdAtMs: 0,
  state: 'active',
}))
const signingKey = await loadSigningKey(memoryKeys(), Buffer.alloc(32, 1), realSystem())

/** The key of RFC 8037, appendix A. */
export const BRIDGE_KEY = {
  keyId: 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k',
  jwk: { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' },
}

type RequestListener = (request: IncomingMessage, response: ServerResponse) => boolean

export interface Refused {
  readonly status: number
  readonly code: string | undefined
  // Parsed body, for the test to check.
  readonly json: Record<string, unknown>
  readonly headers: Headers
}

/** The enrolment endpoints on a free port, with their stores. */
export async function startDevices(system: System = realSystem()) {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const parts = { users: memoryUsers(users), sessions: memorySessions(), devices: memoryDevices() }
  const events: SecurityEvent[] = []
  const failed: string[] = []
  const log = callbackLog((event) => events.push(event))
  const tokens = new AccessTokens({ ...parts, key: signingKey, issuer: url, system })
  const registry = new DeviceRegistry({
    ...parts,
    tokens,
    addresses: [url, 'https://also.example.com'],
    log,
    system,
  })
  const address: ClientAddress = { ip: '127.0.0.1', key: '127.0.0.1', isProxy: false }
  const bridgeKey = BRIDGE_KEY
  const endpoint = new DeviceEndpoint({
    ...{ registry, bridgeKey, log, system },
    door: {
      enter: () => allow(address),
      beginCheck: async () => allow(() => {}),
      failed: ({ key }) => failed.push(key),
    },
    mayEnrol: (token) => tokens.verifyEnrolment(token),
  })
  /** Listeners that run before the endpoints; one that answers returns true. */
  const before: RequestListener[] = []
  server.on('request', (request, response) => {
    if (before.some((listens) => listens(request, response))) return
    if (!endpoint.handle(request, response, new URL(request.url ?? '', url).pathname))
      response.writeHead(404).end('{}')
  })

  async function send(path: string, init: RequestInit): Promise<Refused> {
    const response = await fetch(url + path, init)
    const json = (await response.json()) as Record<string, unknown>
    const code = (json.error as { code?: string } | undefined)?.code
    return { status: response.status, code, json, headers: response.headers }
  }

  /** Posts JSON, as machines do. */
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    send(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })

  /** Issues the token of an approval of this key under this name. */
  async function approval(keyId: string, options: { userId?: string; name?: string } = {}): Promise<string> {
    const { userId = 'ann', name = 'laptop' } = options
    const sessionId = system.randomBytes(16).toString('hex')
    const nowMs = system.nowMs()
    const times = { createdAtMs: nowMs, seenAtMs: nowMs, expiresAtMs: nowMs + 3_600_000 }
    const clientId = 'bridgekeeper-agent'
    await parts.sessions.add({ sessionId, userId, kind: 'client', label: clientId, clientId, ...times })
    const claims = { sub: userId, sid: sessionId, tv: 0, client_id: clientId, scope: 'device:enroll' }
    return new SignJWT({ ...claims, jti: sessionId, device_name: name, device_key: keyId })
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: signingKey.keyId })
      .setIssuer(url)
      .setAudience(`${url}/api/devices`)
      .setIssuedAt(Math.floor(nowMs / 1_000))
      .setExpirationTime(Math.floor(nowMs / 1_000) + 300)
      .sign(signingKey.privateKey)
  }

  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

  /** Enrols a fresh key. */
  async function enrolled(
    options: { userId?: string; name?: string; key?: TestKey } = {},
  ): Promise<TestDevice> {
    const key = options.key ?? testKey()
    const token = await approval(key.keyId, options)
    const body = { name: 'laptop', jwk: key.jwk, proof: await proofOf(key, token, url, system) }
    const { json, status } = await post('/api/devices', body, bearer(token))
    if (status !== 200) throw new Error(JSON.stringify(json))
    return { ...(json as unknown as Omit<TestDevice, 'key'>), key }
  }

  return { url, before, ...parts, tokens, events, failed, system, send, post, bearer, approval, enrolled }
}

/** Signed claims, also of an attacker. */
type Claims = Readonly<Record<string, unknown>>

export type DeviceWorld = Awaited<ReturnType<typeof startDevices>>

export interface TestKey {
  readonly alg: 'EdDSA' | 'ES256'
  readonly privateKey: KeyObject
  readonly jwk: JsonWebKey
  readonly keyId: string
}

export interface TestDevice {
  readonly deviceId: string
  readonly userId: string
  readonly sessionId: string
  readonly keyId: string
  readonly key: TestKey
}

export function testKey(alg: TestKey['alg'] = 'EdDSA'): TestKey {
  const { privateKey, publicKey } =
    alg === 'EdDSA' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = publicKey.export({ format: 'jwk' })
  return { alg, privateKey, jwk, keyId: createHash('sha256').update(canonicalJson(jwk)).digest('base64url') }
}

/** Signs the given claims with this key. @param header replaces the header that a machine writes */
export function signed(key: TestKey, claims: Claims, header: { typ: string } & Record<string, unknown>) {
  const { alg, keyId: kid } = key
  return new SignJWT(claims as JWTPayload).setProtectedHeader({ alg, kid, ...header }).sign(key.privateKey)
}

/** Proves possession of the private key. @param accompanies the token sent with it */
export function proofOf(
  key: TestKey,
  accompanies: string,
  url: string,
  system: Pick<System, 'nowMs'>,
  changes: Claims = {},
  path = '/api/devices',
) {
  const now = Math.floor(system.nowMs() / 1_000)
  const ath = createHash('sha256').update(accompanies).digest('base64url')
  const claims = { iss: key.keyId, aud: url + path, iat: now, exp: now + 60, ath, ...changes }
  return signed(key, claims, { typ: 'device-proof+jwt' })
}

/** The claims of an assertion, as a machine makes them. */
export function assertionClaims(
  { deviceId }: Pick<TestDevice, 'deviceId'>,
  at: DeviceWorld,
  path = '/api/devices/token',
) {
  const now = Math.floor(at.system.nowMs() / 1_000)
  const jti = at.system.randomBytes(16).toString('hex')
  return { iss: deviceId, sub: deviceId, aud: at.url + path, iat: now, exp: now + 60, jti }
}

export async function assertionOf(
  device: TestDevice,
  at: DeviceWorld,
  changes: Claims = {},
): Promise<string> {
  return signed(device.key, { ...assertionClaims(device, at), ...changes }, { typ: 'device-assertion+jwt' })
}

/** A rotation to this key. */
export async function rotationOf(device: TestDevice, next: TestKey, at: DeviceWorld, changes: Claims = {}) {
  const claims = {
    ...assertionClaims(device, at, '/api/devices/key'),
    jwk: next.jwk,
    generation: 2,
    ...changes,
  }
  const assertion = await signed(device.key, claims, { typ: 'device-rotation+jwt' })
  return { assertion, proof: await proofOf(next, assertion, at.url, at.system, {}, '/api/devices/key') }
}
