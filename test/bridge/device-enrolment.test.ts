import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { callbackLog, createBridge, deny, realSystem } from '@bridgekeeper/bridge'
import { expect, onTestFinished, test } from 'vitest'
import { proofOf, testKey } from '../../packages/bridge/test/support/device-world.ts'
import { memoryDevices, memorySessions } from '../../packages/bridge/test/support/identity-stores.ts'

const system = realSystem()
const BRIDGE_KEY = testKey().privateKey

/** An app with its own users, whose bridge enrols machines. */
async function startApp() {
  const server = createServer((_request, response) => response.writeHead(418).end('{}'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const [devices, sessions] = [memoryDevices(), memorySessions()]
  const principal = { userId: 'ann', sessionId: 's1', expiresAtMs: Date.now() + 600_000 }
  const tokens: Readonly<Record<string, object>> = {
    app: principal,
    scoped: { ...principal, scopes: ['agent:connect'] },
    everything: { ...principal, scopes: [] },
    client: { ...principal, resource: `${url}/mcp` },
    device: { ...principal, deviceId: 'd', boundKeyId: 'k' },
    bound: { ...principal, boundKeyId: 'k' },
  }
  const bridge = createBridge({
    authenticator: {
      recall: () => undefined,
      authenticate: async (token) => {
        const found = tokens[token] as typeof principal | undefined
        return found === undefined ? deny('token_invalid') : { allowed: true, value: found }
      },
    },
    proof: { devices, key: BRIDGE_KEY },
    enrolment: {
      sessions,
      users: { findById: async () => undefined },
      tokens: { deviceToken: async () => ({ accessToken: 'x', expiresAtMs: 0 }) },
    },
    publicUrls: [`${url}/`],
    securityLog: callbackLog(() => {}),
  })
  bridge.attach(server)
  await bridge.ready()
  onTestFinished(async () => {
    await bridge.close(0)
    server.closeAllConnections()
    server.close()
  })
  const key = testKey()
  const enrol = async (headers: Record<string, string>, token = 'app') => {
    const body = { name: 'phone', jwk: key.jwk, proof: await proofOf(key, token, url, system) }
    const response = await fetch(`${url}/api/devices`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
    const json = (await response.json()) as { error?: { code: string } }
    return { status: response.status, code: json.error?.code, json }
  }
  return { url, devices, enrol, bridge }
}

test('[ENROL.6] enrols the machines of an app’s users at its bridge, and leaves the app its other paths', async () => {
  const { url, devices, enrol } = await startApp()
  expect(await enrol({ authorization: 'Bearer app' })).toMatchObject({
    status: 200,
    json: { userId: 'ann', name: 'phone', generation: 1, bridgeKey: { crv: 'Ed25519' } },
  })
  expect(await devices.ofUser('ann')).toHaveLength(1)
  expect((await fetch(`${url}/api/devices/other`)).status).toBe(418)
})

test.each(['scoped', 'everything', 'client', 'device', 'bound'])(
  '[ENROL.6] enrols nothing with a limited token (%s)',
  async (token) => {
    const { devices, enrol } = await startApp()
    expect(await enrol({ authorization: `Bearer ${token}` }, token)).toMatchObject({
      status: 403,
      code: 'scope_insufficient',
    })
    expect(await devices.ofUser('ann')).toEqual([])
  },
)

test('[ENROL.6] refuses a cookie, a page of the app and a stranger, and blocks the stranger’s address', async () => {
  const { url, enrol } = await startApp()
  expect(await enrol({ cookie: 'accessToken=app' })).toMatchObject({ code: 'token_missing' })
  expect(await enrol({ authorization: 'Bearer app', origin: url })).toMatchObject({
    code: 'origin_forbidden',
  })
  for (let count = 0; count < 10; count++)
    expect(await enrol({ authorization: 'Bearer stranger' }, 'stranger')).toMatchObject({ status: 401 })
  expect(await enrol({ authorization: 'Bearer app' })).toMatchObject({ status: 403, code: 'address_blocked' })
})

test('[ENROL.6] refuses to create such a bridge without a public address or a key', () => {
  const enrolment = {
    sessions: memorySessions(),
    users: { findById: async () => undefined },
    tokens: { deviceToken: async () => ({ accessToken: 'x', expiresAtMs: 0 }) },
  }
  const authenticator = { recall: () => undefined, authenticate: async () => deny('token_invalid') }
  const proof = { devices: memoryDevices(), key: BRIDGE_KEY }
  expect(() => createBridge({ authenticator, enrolment, proof })).toThrow('publicUrls')
  const publicUrls = ['https://bridge.example.com']
  expect(() => createBridge({ authenticator, enrolment, publicUrls })).toThrow('proof')
})
