import { generateKeyPairSync } from 'node:crypto'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { LinkEvent } from '@bridgekeeper/agent'
import { Link, type LinkOptions, realSystem } from '@bridgekeeper/agent/testing'
import { expect, onTestFinished, test, vi } from 'vitest'
import { FakeTools, RecordedExchanges } from '../../packages/agent/test/support/linked.ts'
import { catalogTool, readyServer } from '../support/catalog.ts'
import { identityOf } from '../support/device-agent.ts'
import { type DeviceBridge, startDeviceBridge, type TestDevice } from '../support/devices.ts'
import { proxyEnvironment, startProxy } from '../support/proxy.ts'

interface Running {
  readonly events: LinkEvent[]
  readonly tools: FakeTools
  readonly ended: Promise<unknown>
}

/** The agent's own link against a bridge, with a device. */
function run(at: DeviceBridge, device: TestDevice, options: Partial<LinkOptions> = {}): Running {
  const events: LinkEvent[] = []
  const tools = new FakeTools()
  tools.servers = [readyServer('s', [catalogTool({ name: 't', inputSchema: {} })])]
  const stop = new AbortController()
  const link = new Link({
    url: `ws://127.0.0.1:${at.port}/api/mcp-ws`,
    token: () => device.accessToken,
    claims: {},
    device: () => identityOf(device, at.key),
    system: realSystem,
    tools,
    exchanges: new RecordedExchanges(),
    onEvent: (event) => void events.push(event),
    ...options,
  })
  const ended = link.run(stop.signal).then(
    () => 'ended',
    (error: unknown) => error,
  )
  onTestFinished(async () => {
    stop.abort()
    await ended
  })
  return { events, tools, ended }
}

const listed = (at: DeviceBridge) =>
  vi.waitFor(() => expect(at.bridge.listTools('user_ann')).toHaveLength(1), { timeout: 20_000 })

test.each(['Ed25519', 'ES256'] as const)(
  '[LINK.28] [LINK.30] proves an enrolled agent with a key of %s, and records the connection before it runs a call',
  async (algorithm) => {
    const at = await startDeviceBridge()
    const device = await at.enrol('ann', algorithm)
    const { tools, events } = run(at, device)
    let remembered = ''
    tools.answer = () => {
      remembered = device.previous
      return { ok: true, result: Buffer.from('{"content":[]}') }
    }
    await listed(at)
    expect(await at.bridge.callTool('user_ann', 's', 't')).toEqual({ content: [] })
    expect(remembered).not.toBe('')
    expect(events.map(({ type }) => type)).toEqual(['connecting', 'verified', 'call-finished'])
  },
)

test('[LINK.28] runs nothing for a bridge with another key than the pinned one', async () => {
  const at = await startDeviceBridge()
  const device = await at.enrol('ann')
  const strangers = generateKeyPairSync('ed25519').privateKey
  const { ended, tools } = run(at, device, { device: () => identityOf(device, strangers) })
  expect(await ended).toMatchObject({ name: 'AgentError', code: 'bridge_not_recognised' })
  expect(tools.calls).toEqual([])
  expect(device.previous).toBe('')
})

test('[PROOF.13] [LINK.28] binds the same TLS connection at both ends', async () => {
  const { selfSigned } = await import('../support/certificates.ts')
  const certificate = selfSigned()
  const at = await startDeviceBridge()
  const server = createHttpsServer(certificate)
  at.bridge.attach(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const { default: tls } = await import('node:tls')
  const before = tls.getCACertificates('default')
  tls.setDefaultCACertificates([...before, certificate.cert])
  onTestFinished(() => tls.setDefaultCACertificates(before))
  run(at, await at.enrol('ann'), { url: `wss://localhost:${port}/api/mcp-ws` })
  await listed(at)
})

test('[LINK.31] replaces an expiring token on the same connection while a call runs', async () => {
  const at = await startDeviceBridge()
  const device = await at.enrol('ann')
  const tokens: string[] = []
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const token = (): string => {
    const iat = Math.floor(Date.now() / 1_000)
    const text = `${part({})}.${part({ iat, exp: iat + 4, n: tokens.length })}.x`
    const { userId, sessionId, deviceId } = device
    at.tokens.principals.set(text, { userId, sessionId, deviceId, expiresAtMs: (iat + 4) * 1_000 })
    tokens.push(text)
    return text
  }
  const { tools, events } = run(at, device, { token })
  let finish = (): void => {}
  tools.answer = () =>
    new Promise((resolve) => {
      finish = () => resolve({ ok: true, result: Buffer.from('{"content":[]}') })
    })
  await listed(at)
  const call = at.bridge.callTool('user_ann', 's', 't')
  await vi.waitFor(() => expect(tokens.length).toBeGreaterThan(2), { timeout: 20_000 })
  finish()
  expect(await call).toEqual({ content: [] })
  expect(events.filter(({ type }) => type === 'disconnected')).toEqual([])
})

test('[PROXY.1] [PROOF.13] binds the same TLS connection at both ends through a proxy', async () => {
  const { selfSigned } = await import('../support/certificates.ts')
  const certificate = selfSigned('bridge.test')
  const at = await startDeviceBridge({ publicUrls: ['https://bridge.test'] })
  const server = createHttpsServer(certificate)
  at.bridge.attach(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const { default: tls } = await import('node:tls')
  const before = tls.getCACertificates('default')
  tls.setDefaultCACertificates([...before, certificate.cert])
  onTestFinished(() => tls.setDefaultCACertificates(before))
  const proxy = await startProxy(port)
  proxyEnvironment({ HTTPS_PROXY: `http://${proxy.at}` })
  run(at, await at.enrol('ann'), { url: 'wss://bridge.test/api/mcp-ws' })
  await listed(at)
  expect(proxy.asked).toHaveLength(1)
})
