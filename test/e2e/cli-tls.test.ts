import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { configFile, published } from '../support/agent-program.ts'
import { selfSigned } from '../support/certificates.ts'
import { bridgekeeper, eventIn, login, serve, startBridgekeeper } from '../support/installation.ts'
import { scratch } from '../support/scratch.ts'

test('[TLS.10] connects agent and caller to a bridge with a trusted certificate, and to no other', async () => {
  const certificate = selfSigned()
  const bridge = await serve({
    env: { BRIDGEKEEPER_TLS_CERT: certificate.certFile, BRIDGEKEEPER_TLS_KEY: certificate.keyFile },
  })
  expect(bridge.url).toMatch(/^https:\/\/127\.0\.0\.1:/)
  const { accessToken } = await login(bridge.data, 'ann@example.com')
  const env = { BRIDGEKEEPER_URL: bridge.url, BRIDGEKEEPER_TOKEN: accessToken }
  const trusting = { ...env, NODE_EXTRA_CA_CERTS: certificate.certFile }
  const config = configFile({ memory: published('memory') })
  const agent = (told: typeof env) =>
    startBridgekeeper(['connect', bridge.url, '--config', config, '--json'], told)

  const distrustful = agent(env)
  const failed = await distrustful.printed((stdout) =>
    eventIn<Record<string, unknown>>(stdout, 'type', 'disconnected'),
  )
  expect(JSON.stringify(failed)).toContain('SELF_SIGNED_CERT')
  expect(distrustful.stdout).not.toContain('"type":"verified"')
  distrustful.signal('SIGTERM')

  await agent(trusting).printed((stdout) => eventIn(stdout, 'type', 'verified'))
  expect((await bridgekeeper(['call', 'memory', 'read_graph'], env)).code).toBe(1)
  // The server itself may take a moment longer to start than the connection.
  await vi.waitFor(async () => {
    const called = await bridgekeeper(['call', 'memory', 'read_graph'], trusting)
    expect(called).toMatchObject({ code: 0, stdout: expect.stringContaining('entities') })
  }, 20_000)

  const renewed = selfSigned()
  copyFileSync(renewed.keyFile, certificate.keyFile)
  copyFileSync(renewed.certFile, certificate.certFile)
  await bridge.program.printed((stdout) => eventIn(stdout, 'event', 'tls_reloaded'))
})

test('[TLS.6] refuses to serve without TLS in production, and names both remedies', async () => {
  const env = { NODE_ENV: 'PRODUCTION ', JWT_SECRET: 'thirty-two bytes at the very least' }
  const start = (...args: string[]) =>
    bridgekeeper(['serve', '--port', '0', '--data', join(scratch(), 'data'), '--json', ...args], env)
  const [bare, off, proxied, nowhere] = await Promise.all([
    start(),
    start('--tls', 'off'),
    start('--tls', 'terminated-by-proxy'),
    start('--tls', 'terminated-by-proxy', '--trusted-proxy', '127.0.0.1'),
  ])
  for (const { code } of [bare, off, proxied, nowhere]) expect(code).toBe(1)
  expect(JSON.parse(bare.stdout).error).toMatchObject({
    code: 'tls_cert_missing',
    next: expect.stringMatching(/--tls-cert.*--trusted-proxy/),
  })
  expect(JSON.parse(off.stdout).error).toMatchObject({ code: 'tls_off_in_production' })
  expect(JSON.parse(proxied.stdout).error).toMatchObject({ code: 'trusted_proxy_missing' })
  expect(JSON.parse(nowhere.stdout).error).toMatchObject({ code: 'public_url_missing' })
})
