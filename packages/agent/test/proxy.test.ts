import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { selfSigned, trust } from '../../../test/support/certificates.ts'
import { proxyEnvironment, startProxy } from '../../../test/support/proxy.ts'
import { ask } from '../src/enrolment/ask.ts'
import { proxyFor } from '../src/proxy/choice.ts'
import { realSystem } from '../src/system.ts'
import { FakeBridge } from './support/bridge.ts'
import { runLink } from './support/linked.ts'

const never = new AbortController().signal
const chosen = (target: string, env: Record<string, string>) => proxyFor(new URL(target), env)?.href

test.each([
  ['https://b.test', { HTTPS_PROXY: 'http://p:1' }, 'http://p:1/'],
  ['wss://b.test', { https_proxy: 'http://p:1', HTTPS_PROXY: 'http://q:1' }, 'http://p:1/'],
  ['https://b.test', { https_proxy: ' ', HTTPS_PROXY: 'http://q:1' }, 'http://q:1/'],
  ['https://b.test', { HTTP_PROXY: 'http://p:1' }, undefined],
  ['ws://b.test', { HTTP_PROXY: 'http://p:1' }, 'http://p:1/'],
  ['wss://b.test', { ALL_PROXY: 'https://p:1' }, 'https://p:1/'],
  ['wss://b.test', { HTTPS_PROXY: 'p.test:3128' }, 'http://p.test:3128/'],
  ['wss://b.test', { HTTPS_PROXY: ' "http://p:1" ' }, 'http://p:1/'],
  ['wss://b.test', {}, undefined],
  ['ws://localhost:1', { ALL_PROXY: 'p:1' }, undefined],
  ['ws://127.0.0.1:1', { ALL_PROXY: 'p:1' }, undefined],
  ['ws://[::1]:1', { ALL_PROXY: 'p:1' }, undefined],
])('[PROXY.1] takes the proxy for %s from the environment: %j', (target, env, proxy) => {
  expect(chosen(target, env as Record<string, string>)).toBe(proxy)
})

test.each([
  ['b.test', '*'],
  ['b.test', 'b.test'],
  ['b.test', 'x, B.Test. ,y'],
  ['b.test', 'x b.test:443'],
  ['a.b.test', 'b.test'],
  ['a.b.test', '.b.test'],
  ['a.b.test', '*.b.test'],
  ['b.test', 'x;b.test'],
  ['10.1.2.3', '10.*'],
  ['a.b.test', 'a*.t*t'],
  ['10.1.2.3', '10.1.2.3'],
  ['10.1.2.3', '10.0.0.0/8'],
  ['[fd00::1]', 'fd00::1'],
  ['[fd00::1]', '[fd00::1]:443'],
  ['[fd00::1]', 'fd00::/8'],
])('[PROXY.2] connects directly to %s with NO_PROXY=%s', (host, noProxy) => {
  expect(chosen(`https://${host}`, { HTTPS_PROXY: 'p:1', NO_PROXY: noProxy })).toBeUndefined()
})

test.each([
  ['b.test', ''],
  ['b.test', 'b.test:8443'],
  ['ab.test', 'b.test'],
  ['b.test', 'a.b.test'],
  ['110.1.2.3', '10.*'],
  ['b.test', 'b.te*est'],
  ['b.test', 'b.*x*'],
  ['b.test', '*.c.*'],
  ['11.1.2.3', '10.0.0.0/8'],
  ['b.test', '10.0.0.0/8'],
  ['10.1.2.3', '10.0.0.0/99'],
  ['10.1.2.3', '2.3'],
])('[PROXY.2] does not except %s by NO_PROXY=%s', (host, noProxy) => {
  expect(chosen(`https://${host}`, { HTTPS_PROXY: 'p:1', NO_PROXY: noProxy })).toBe('http://p:1/')
})

test.each(['socks5://p:1', 'http://', 'http://p:99999'])('[PROXY.3] refuses %s as a proxy', async (value) => {
  proxyEnvironment({ HTTPS_PROXY: value })
  const { ended } = runLink('wss://bridge.test/api/mcp-ws')
  expect(await ended).toMatchObject({ name: 'AgentError', code: 'proxy_invalid' })
  await expect(ask(realSystem, 'https://bridge.test', {}, never)).rejects.toMatchObject({
    code: 'proxy_invalid',
  })
})

test('[PROXY.1] tunnels the WebSocket, also without TLS', async () => {
  const bridge = await FakeBridge.start()
  const proxy = await startProxy(Number(new URL(bridge.url).port))
  proxyEnvironment({ HTTP_PROXY: `http://${proxy.at}` })
  const { event } = runLink('ws://bridge.test:81/api/mcp-ws')
  await event('verified')
  expect(proxy.asked).toEqual([
    expect.stringMatching(/^CONNECT bridge\.test:81 HTTP\/1\.1\r\nhost: bridge\.test:81\r\n/i),
  ])
  expect((await bridge.peer()).request.headers.host).toBe('bridge.test:81')
})

test('[PROXY.1] bypasses the proxy for NO_PROXY', async () => {
  const bridge = await FakeBridge.start()
  const proxy = await startProxy(1)
  proxyEnvironment({ HTTP_PROXY: `http://${proxy.at}`, NO_PROXY: '127.0.0.1' })
  await runLink(bridge.url).event('verified')
  expect(proxy.asked).toEqual([])
})

test.each([false, true])(
  '[PROXY.1] tunnels enrolment and tokens; the proxy over TLS: %j',
  async (overTls) => {
    const certificate = selfSigned('bridge.test')
    trust(certificate)
    const server = createServer(certificate, (request, response) =>
      response.end(
        JSON.stringify({ host: request.headers.host, authorization: request.headers.authorization }),
      ),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const { port } = server.address() as AddressInfo
    const proxy = await startProxy(port, overTls ? { tls: certificate } : {})
    proxyEnvironment({ HTTPS_PROXY: `${overTls ? 'https' : 'http'}://${proxy.at}` })
    const { status, body } = await ask(realSystem, 'https://bridge.test/x', { json: {}, token: 't' }, never)
    expect([status, body]).toEqual([200, { host: 'bridge.test', authorization: 'Bearer t' }])
    // The proxy sees the host name only, and no content.
    expect(proxy.asked).toEqual([expect.stringMatching(/^CONNECT bridge\.test:443 /)])
    expect(proxy.asked.join()).not.toContain('Bearer')
  },
)

const REFUSAL =
  'HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n'

test.each([
  ['', /requires a user and a password \(407\)/],
  ['ann:s3cr3t%20word@', /rejected the user and password \(407\)/],
])('[PROXY.4] reports a proxy that requires a login, without the password: %j', async (login, words) => {
  const proxy = await startProxy(1, { answer: REFUSAL })
  proxyEnvironment({ HTTPS_PROXY: `http://${login}${proxy.at}` })
  const { event, events } = runLink('wss://bridge.test/api/mcp-ws')
  const { reason } = await event('disconnected')
  expect(reason).toMatch(words)
  expect(reason).toContain(proxy.at)
  const asking = ask(realSystem, 'https://bridge.test', {}, never)
  await expect(asking).rejects.toMatchObject({ code: 'bridge_unreachable', message: reason })
  expect(JSON.stringify(events)).not.toMatch(/s3cr3t|YW5u/)
  const given = login === '' ? undefined : `Basic ${Buffer.from('ann:s3cr3t word').toString('base64')}`
  expect(/proxy-authorization: (.*)\r/i.exec(proxy.asked[0] ?? '')?.[1]).toBe(given)
})

test('[PROXY.4] reports another refusal and a missing proxy', async () => {
  const proxy = await startProxy(1, { answer: 'HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n' })
  proxyEnvironment({ HTTPS_PROXY: `http://${proxy.at}` })
  const asking = () => ask(realSystem, 'https://bridge.test', {}, never)
  await expect(asking()).rejects.toThrow(`The proxy ${proxy.at} refused the connection (HTTP status 403).`)
  proxyEnvironment({ HTTPS_PROXY: 'http://127.0.0.1:9' })
  await expect(asking()).rejects.toThrow('The proxy 127.0.0.1:9 cannot be reached (ECONNREFUSED).')
})
