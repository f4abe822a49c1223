import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  type AppIdentity,
  callbackLog,
  createBridge,
  createTokens,
  memoryUsers,
  type RequestFacts,
  realSystem,
} from '@bridgekeeper/bridge'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { expect, onTestFinished, test } from 'vitest'
import { SECRET, startBridge, type TestBridge, user } from '../support/bridge.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { bearer, codeIn, post, toolCall } from '../support/mcp.ts'
import { dial, verifiedPeer } from '../support/peer.ts'
import { tryUpgrade } from '../support/raw.ts'

type Answer = AppIdentity | undefined | Promise<AppIdentity | undefined>

function embedded(authenticate: (token: string, request: RequestFacts) => Answer, more = {}) {
  return startBridge({ authenticator: undefined, authenticate, ...more })
}

const ann: AppIdentity = { userId: 'ann', sessionId: 'a1' }

async function codeOf(at: TestBridge, token: string): Promise<unknown> {
  return codeIn((await post(at, '/mcp', toolCall('s__t'), bearer(token))).json)
}

async function agentOf(at: TestBridge, identity: AppIdentity, token: string) {
  return verifiedPeer(at, { accessToken: token, ...identity, expiresAt: '' })
}

test('[EMBED.1] authenticates callers and agents by the app’s function, from the token and the request', async () => {
  const seen: RequestFacts[] = []
  const at = await embedded(async (token, request) => {
    seen.push(request)
    return token === 'good' ? ann : undefined
  })
  expect(await codeOf(at, 'good')).toBe('agent_offline')
  const agent = await agentOf(at, ann, 'good')
  expect(seen.at(-1)).toMatchObject({
    url: '/api/mcp-ws',
    remoteAddress: '127.0.0.1',
    authorization: ['Bearer good'],
  })
  const call = at.bridge.callTool('ann', 's', 't')
  const { id } = await agent.next('tool_execute')
  agent.send({ type: 'tool_result', id, success: true, result: { content: [] } })
  await call
  expect(await codeOf(at, 'bad')).toBe('token_invalid')
  expect(await tryUpgrade(at, { token: 'bad' })).toMatchObject({ status: 401, code: 'token_invalid' })
})

test.each<[string, () => unknown]>([
  [
    'throws',
    () => {
      throw new Error('secret of the app')
    },
  ],
  ['rejects', () => Promise.reject(new Error('secret of the app'))],
  ['gives true', () => true],
  ['gives no session', () => ({ userId: 'ann' })],
  ['gives an empty user', () => ({ userId: '', sessionId: 'a1' })],
  ['gives a number as user', () => ({ userId: 7, sessionId: 'a1' })],
  ['gives null', () => null],
  ['gives an invalid expiry', () => ({ ...ann, expiresAtMs: Number.NaN })],
  ['gives scopes as text', () => ({ ...ann, scopes: 'agent:connect' })],
  ['gives an empty device id', () => ({ ...ann, deviceId: '' })],
])(
  '[EMBED.1] when the app’s function %s, refuses with 500 and does not reveal the cause',
  async (_, authenticate) => {
    const at = await embedded(authenticate as () => Answer)
    const answer = await post(at, '/mcp', toolCall('s__t'), bearer('x'))
    expect(answer.status).toBe(500)
    expect(codeIn(answer.json)).toBe('internal_error')
    expect(answer.text).not.toContain('secret')
    expect(await tryUpgrade(at, { token: 'x' })).toMatchObject({ status: 500, code: 'internal_error' })
  },
)

test('[EMBED.1] times out after ten seconds when the app’s function does not answer', async () => {
  const system = new FakeSystem()
  let asked = (): void => {}
  const called = new Promise<void>((resolve) => (asked = resolve))
  const at = await embedded(
    () => {
      asked()
      return new Promise(() => {})
    },
    { system },
  )
  const answer = post(at, '/mcp', toolCall('s__t'), bearer('x'))
  await called
  system.advance(10_000)
  expect((await answer).status).toBe(500)
})

test('[EMBED.1] applies the expiry and scopes of the app’s identity, and caches it for five seconds or until a revocation', async () => {
  const system = new FakeSystem()
  let asked = 0
  const identity = { ...ann, scopes: ['agent:connect'], expiresAtMs: system.nowMs() + 8_000 }
  const at = await embedded(
    () => {
      asked++
      return identity
    },
    { system },
  )
  const agent = await agentOf(at, ann, 'x')
  expect(await codeOf(at, 'x')).toBe('scope_insufficient')
  expect(asked).toBe(1)
  system.advance(5_001)
  await codeOf(at, 'x')
  expect(asked).toBe(2)
  await at.bridge.revoke({ kind: 'user', id: 'ann' })
  expect(await agent.closed).toEqual({ code: 4510, reason: 'login_revoked' })
  const again = await agentOf(at, ann, 'x')
  expect(asked).toBe(3)
  system.advance(3_000)
  expect(await again.closed).toEqual({ code: 4401, reason: 'token_expired' })
  system.advance(5_001)
  expect(await codeOf(at, 'x')).toBe('token_expired')
})

test('[EMBED.2] throws TypeError unless exactly one way to authenticate is configured', async () => {
  const system = realSystem()
  const authenticator = createTokens(SECRET, memoryUsers([]), system)
  const authenticate = () => undefined
  const jwks = { keys: [] }
  const provider = { jwks, issuer: 'https://id.example', audience: 'bridge' }
  for (const options of [
    {},
    { authenticator, authenticate },
    { authenticator, ...provider },
    { authenticate, ...provider },
    { jwks },
    { jwks, issuer: 'https://id.example' },
    { jwks, issuer: '', audience: 'bridge' },
    { issuer: 'https://id.example', audience: 'bridge' },
    { authenticate, audience: 'bridge' },
    { authenticate: 'ann' as unknown as () => undefined },
  ]) {
    expect(
      () => createBridge({ ...options, securityLog: callbackLog(() => {}) }),
      Object.keys(options).join(),
    ).toThrow(TypeError)
  }
  for (const options of [{ authenticator }, { authenticate }, provider]) {
    await createBridge({ ...options, securityLog: callbackLog(() => {}) }).close(0)
  }
})

test('[EMBED.2] with jwks, issuer and audience, accepts only that provider’s tokens', async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }] }
  const at = await startBridge({
    authenticator: undefined,
    jwks,
    issuer: 'https://id.example',
    audience: 'bridge',
  })
  const sign = (audience: string) =>
    new SignJWT({ sid: 'p1' })
      .setProtectedHeader({ alg: 'ES256', kid: 'k', typ: 'at+jwt' })
      .setIssuer('https://id.example')
      .setAudience(audience)
      .setSubject('ann')
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey)
  expect(await codeOf(at, await sign('bridge'))).toBe('agent_offline')
  expect(await codeOf(at, await sign('another'))).toBe('token_invalid')
  expect(await codeOf(at, (await at.token('ann')).accessToken)).toBe('token_invalid')
})

test('[EMBED.3] reads the token from the configured cookie, and then not from accessToken', async () => {
  const at = await embedded((token) => (token === 'good' ? ann : undefined), { cookie: '__Host-session' })
  const statusWith = async (cookie: string) =>
    codeIn((await post(at, '/mcp', toolCall('s__t'), { cookie })).json)
  expect(await statusWith('theme=dark; __Host-session=good')).toBe('agent_offline')
  expect(await statusWith('accessToken=good')).toBe('token_missing')
  expect(await statusWith('__Host-session=good; __Host-session=good')).toBe('token_ambiguous')
  const peer = dial(at, { socketOptions: { headers: { cookie: '__Host-session=good' } } })
  await peer.next('challenge')
  for (const cookie of ['', 'a b', 'a=b', 'a;b', 'Zoë'])
    expect(
      () => createBridge({ authenticate: () => undefined, cookie, securityLog: callbackLog(() => {}) }),
      cookie,
    ).toThrow(TypeError)
})

/** An app's server with a bridge, and the requests that reached the app's own listeners. */
async function appWith(before: (server: Server, reached: string[]) => void, after = before) {
  const server = createServer()
  const reached: string[] = []
  before(server, reached)
  const tokens = createTokens(SECRET, memoryUsers([user('ann')]), realSystem())
  const bridge = createBridge({ authenticator: tokens, securityLog: callbackLog(() => {}) })
  bridge.attach(server)
  after(server, reached)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    await bridge.close(0)
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return {
    at: { port, url: `http://127.0.0.1:${port}` },
    reached,
    token: (await tokens.issue(user('ann'), 60_000)).accessToken,
  }
}

/** Ends every upgrade, as a framework does that knows one of its pages at every path. */
function greedy(server: Server, reached: string[]): void {
  server.on('request', (request, response) => {
    reached.push(`${request.url}`)
    response.end('app')
  })
  server.on('upgrade', (request, socket) => {
    reached.push(`upgrade ${request.url}`)
    socket.end('HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n')
  })
}

test.each<[string, (server: Server, reached: string[]) => void, (server: Server, reached: string[]) => void]>(
  [
    ['before the bridge', greedy, () => {}],
    ['after the bridge', () => {}, greedy],
  ],
)(
  '[EMBED.4] leaves everything but the bridge’s own paths to listeners that the app added %s',
  async (_, before, after) => {
    const { at, reached, token } = await appWith(before, after)
    expect((await tryUpgrade(at, { token })).status).toBe(101)
    expect((await fetch(`${at.url}/healthz`)).status).toBe(200)
    expect(reached).toEqual([])
    expect((await tryUpgrade(at, { path: '/_next/webpack-hmr' })).status).toBe(418)
    expect(await (await fetch(`${at.url}/page`)).text()).toBe('app')
    expect(reached).toEqual(['upgrade /_next/webpack-hmr', '/page'])
  },
)

test('[EMBED.4] keeps working when a library wraps the bridge’s listeners in its own', async () => {
  const { at, reached, token } = await appWith(
    () => {},
    (server, reached) => {
      // Attaches itself like Engine.IO.
      const listeners = server.listeners('request') as ((...args: unknown[]) => void)[]
      server.removeAllListeners('request')
      server.on('request', (request, response) => {
        if (request.url === '/engine.io/') return response.end('engine')
        for (const listener of listeners) listener.call(server, request, response)
      })
      server.on('upgrade', (request) => reached.push(`upgrade ${request.url}`))
    },
  )
  expect(await (await fetch(`${at.url}/engine.io/`)).text()).toBe('engine')
  expect((await fetch(`${at.url}/healthz`)).status).toBe(200)
  expect((await fetch(`${at.url}/nothing`)).status).toBe(404)
  expect((await tryUpgrade(at, { token })).status).toBe(101)
  expect(reached).toEqual([])
})
