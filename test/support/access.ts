import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type BridgeOptions, createBridge, createTokens, memoryUsers, realSystem } from '@bridgekeeper/bridge'
import { AccessTokens, type LoginSession, loadSigningKey, Recall } from '@bridgekeeper/bridge/testing'
import { CALLER_SCOPES, USER_SCOPES } from '@bridgekeeper/protocol'
import { byIssuer } from '@bridgekeeper/standalone/testing'
import { SignJWT } from 'jose'
import { onTestFinished } from 'vitest'
import {
  memoryDevices,
  memoryKeys,
  memorySessions,
} from '../../packages/bridge/test/support/identity-stores.ts'
import { SECRET, type TestBridge, user } from './bridge.ts'
import { Recorded } from './recorded.ts'

/** Thumbprint of a device's key, as its token is bound to it. */
export const DEVICE_KEY = 'k'.repeat(43)

export interface AccessBridge extends TestBridge {
  readonly recorded: Recorded
  readonly sessions: ReturnType<typeof memorySessions>
  readonly access: AccessTokens
  /** A token like the authorization server's, with these changes. */
  sign(claims?: object, header?: object): Promise<string>
  readonly publicJwk: object
  /** Claims of the three kinds of token that the server makes. */
  readonly kinds: Readonly<Record<'client' | 'enrolment' | 'device', object>>
}

/** A bridge that accepts an authorization server's access tokens besides its own. */
export async function startAccessBridge(options: Partial<BridgeOptions> = {}): Promise<AccessBridge> {
  const system = options.system ?? realSystem()
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const users = memoryUsers([user('ann'), user('bob')])
  const key = await loadSigningKey(memoryKeys(), SECRET, system)
  const sessions = memorySessions([
    session('client', 'client', 'https://app.example/client'),
    session('enrolment', 'client', 'bridgekeeper-agent'),
    { ...session('device', 'device'), deviceId: 'd1' },
  ])
  const devices = memoryDevices([
    {
      deviceId: 'd1',
      userId: 'user_ann',
      sessionId: 'device',
      name: 'laptop',
      keys: [{ keyId: DEVICE_KEY, algorithm: 'ES256', generation: 1, jwk: '{}' }],
      createdAtMs: 0,
      usedAtMs: 0,
    },
  ])
  const recalled = new Recall(system)
  const tokens = createTokens(SECRET, users, system, undefined, recalled)
  const access = new AccessTokens({ key, issuer: url, users, sessions, devices, system, recalled })
  const recorded = new Recorded()
  const bridge = createBridge({
    authenticator: byIssuer(url, access, tokens, recalled),
    publicUrls: [url],
    authorizationServers: [url],
    securityLog: recorded.securityLog,
    ...options,
    system,
  })
  bridge.attach(server)
  onTestFinished(async () => {
    await bridge.close(0)
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const kinds = kindsOf(url)
  return {
    bridge,
    server,
    port,
    url,
    recorded,
    sessions,
    access,
    kinds,
    publicJwk: key.publicJwk,
    token: (name, lifetimeMs = 60_000) => tokens.issue(user(name), lifetimeMs),
    sign(claims = kinds.client, header = {}) {
      const nowSeconds = Math.floor(system.nowMs() / 1_000)
      return new SignJWT({ iat: nowSeconds, exp: nowSeconds + 600, ...claims })
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: key.keyId, ...header })
        .sign(key.privateKey)
    },
  }
}

function kindsOf(url: string): AccessBridge['kinds'] {
  const common = { iss: url, sub: 'user_ann', tv: 0, jti: 'j', client_id: 'bridgekeeper-agent' }
  return {
    client: {
      ...common,
      sid: 'client',
      client_id: 'https://app.example/client',
      scope: CALLER_SCOPES.join(' '),
      aud: `${url}/mcp`,
    },
    enrolment: {
      ...common,
      sid: 'enrolment',
      scope: 'device:enroll',
      aud: `${url}/api/devices`,
      device_name: 'laptop',
      device_key: DEVICE_KEY,
    },
    device: {
      ...common,
      sid: 'device',
      scope: USER_SCOPES.join(' '),
      aud: `${url}/api/mcp-ws`,
      did: 'd1',
      cnf: { jkt: DEVICE_KEY },
    },
  }
}

function session(sessionId: string, kind: LoginSession['kind'], clientId?: string): LoginSession {
  return {
    sessionId,
    userId: 'user_ann',
    kind,
    label: '',
    clientId,
    createdAtMs: 0,
    seenAtMs: 0,
    expiresAtMs: 4e12,
  }
}
