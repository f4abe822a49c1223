import { once } from 'node:events'
import { chmodSync, copyFileSync, renameSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { connect as connectPlain } from 'node:net'
import { join } from 'node:path'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { realSystem } from '@bridgekeeper/bridge'
import { serve, type TlsEvent } from '@bridgekeeper/standalone'
import { expect, onTestFinished, test, vi } from 'vitest'
import WebSocket from 'ws'
import { selfSigned, type TestCertificate } from '../support/certificates.ts'
import { addUser, issueToken } from '../support/operator.ts'
import { scratch } from '../support/scratch.ts'
import { type NodeTestOptions, settingsOf, tlsFlags } from '../support/settings.ts'

async function startNode({ flags, env = {}, ...options }: NodeTestOptions = {}) {
  const node = await serve({ settings: settingsOf(flags, env), env, system: realSystem(), ...options })
  onTestFinished(() => node.close())
  return { ...node, port: Number(new URL(node.url).port) }
}

async function startTls() {
  const certificate = selfSigned()
  const events: TlsEvent[] = []
  const node = await startNode({ flags: tlsFlags(certificate), onTls: (event) => events.push(event) })
  return { ...node, certificate, events }
}

/** The socket once it is encrypted. */
async function secured(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ...options })
  onTestFinished(() => void socket.destroy())
  await once(socket, 'secureConnect')
  return socket
}

/** The public key that a new connection is shown. */
async function shown(port: number): Promise<string | undefined> {
  const socket = await secured(port, { rejectUnauthorized: false })
  const { fingerprint256 } = socket.getPeerX509Certificate() ?? {}
  socket.destroy()
  return fingerprint256
}

async function fingerprintOf({ cert }: TestCertificate): Promise<string> {
  const { X509Certificate } = await import('node:crypto')
  return new X509Certificate(cert).fingerprint256
}

function get(url: string, ca: string) {
  return new Promise<{ status: number | undefined; headers: Record<string, unknown> }>((resolve, reject) => {
    request(url, { ca, agent: false }, (response) => {
      response.resume()
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers }))
    })
      .on('error', reject)
      .end()
  })
}

test('[TLS.11] serves https and wss with a certificate, to clients that verify it', async () => {
  const { url, data, certificate } = await startTls()
  expect(url).toMatch(/^https:/)
  expect(await get(`${url}/readyz`, certificate.cert)).toMatchObject({ status: 200 })
  await addUser(data, 'ann@example.com')
  const { accessToken } = await issueToken(data, 'ann@example.com', 60_000)
  const socket = new WebSocket(`${url.replace('https', 'wss')}/api/mcp-ws`, {
    ca: certificate.cert,
    headers: { authorization: `Bearer ${accessToken}` },
  })
  onTestFinished(() => socket.terminate())
  const [first] = (await once(socket, 'message')) as [Buffer]
  expect(JSON.parse(String(first))).toMatchObject({ type: 'challenge' })
})

test('[TLS.5] sends HSTS with every answer over TLS, also a refusal, and not over plain HTTP', async () => {
  const { url, certificate } = await startTls()
  for (const path of ['/readyz', '/mcp', '/api/mcp-ws', '/nothing'])
    expect((await get(url + path, certificate.cert)).headers, path).toMatchObject({
      'strict-transport-security': 'max-age=31536000',
    })
  const plain = await fetch(`${(await startNode()).url}/readyz`)
  expect(plain.headers.has('strict-transport-security')).toBe(false)
})

test.each(['TLSv1', 'TLSv1.1'] as const)('[TLS.11] refuses %s', async (maxVersion) => {
  const { port } = await startTls()
  // At security level 0 our client would speak it.
  const old = {
    minVersion: 'TLSv1',
    maxVersion,
    ciphers: 'ALL:@SECLEVEL=0',
    rejectUnauthorized: false,
  } as const
  await expect(secured(port, old)).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' })
})

test('[TLS.12] negotiates only forward-secret authenticated ciphers in its own order, and no renegotiation', async () => {
  const { port } = await startTls()
  const over12 = { maxVersion: 'TLSv1.2', rejectUnauthorized: false } as const
  for (const ciphers of ['ECDHE-ECDSA-AES128-SHA256', 'ECDHE-ECDSA-AES256-SHA', 'AES128-GCM-SHA256'])
    await expect(secured(port, { ...over12, ciphers }), ciphers).rejects.toThrow()
  const ciphers = 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384'
  const socket = await secured(port, { ...over12, ciphers })
  expect(socket.getCipher().name).toBe('ECDHE-ECDSA-AES256-GCM-SHA384')
  const refused = new Promise((resolve) => {
    socket.on('error', resolve)
    socket.renegotiate({}, resolve)
  })
  expect(await refused).toBeInstanceOf(Error)
  const modern = await secured(port, { rejectUnauthorized: false })
  expect([modern.getProtocol(), modern.getCipher().name]).toEqual(['TLSv1.3', 'TLS_AES_256_GCM_SHA384'])
})

test('[TLS.4] loads a certificate that was replaced by renaming, and keeps open connections', async () => {
  const { url, port, certificate, events } = await startTls()
  const open = await secured(port, { ca: certificate.cert, servername: 'localhost' })
  const renewed = selfSigned()
  renameSync(renewed.certFile, certificate.certFile)
  renameSync(renewed.keyFile, certificate.keyFile)
  await vi.waitFor(() => expect(events).toEqual([{ event: 'tls_reloaded' }]), 10_000)
  expect(await shown(port)).toBe(await fingerprintOf(renewed))
  expect(await get(`${url}/readyz`, renewed.cert)).toMatchObject({ status: 200 })
  open.write('GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n')
  expect(String(((await once(open, 'data')) as [Buffer])[0])).toMatch(/^HTTP\/1\.1 200/)
})

test('[TLS.4] reports a certificate without its key once, and keeps the old pair until the key arrives', async () => {
  const { port, certificate, events } = await startTls()
  const renewed = selfSigned()
  copyFileSync(renewed.certFile, certificate.certFile)
  await vi.waitFor(() => expect(events.length).toBeGreaterThan(0), 10_000)
  expect(events).toEqual([
    { event: 'tls_reload_failed', error: expect.stringContaining('does not match the certificate') },
  ])
  expect(await shown(port)).toBe(await fingerprintOf(certificate))
  copyFileSync(renewed.keyFile, certificate.keyFile)
  await vi.waitFor(() => expect(events.at(-1)).toEqual({ event: 'tls_reloaded' }), 10_000)
  expect(events).toHaveLength(2)
  expect(await shown(port)).toBe(await fingerprintOf(renewed))
})

test('[TLS.13] refuses to start with unusable TLS settings, and gives the next step', async () => {
  const [one, other] = [selfSigned(), selfSigned()]
  const broken = join(scratch(), 'broken.pem')
  writeFileSync(broken, 'no certificate', { mode: 0o600 })
  const past = selfSigned('localhost', 1)
  const inAWeek = { ...realSystem(), nowMs: () => realSystem().nowMs() + 7 * 86_400_000 }
  const bad: NodeTestOptions[] = [
    { flags: tlsFlags({ certFile: one.certFile, keyFile: other.keyFile }) },
    { flags: tlsFlags({ certFile: broken, keyFile: one.keyFile }) },
    { flags: tlsFlags({ certFile: one.certFile, keyFile: broken }) },
    { flags: tlsFlags({ certFile: `${broken}-none`, keyFile: one.keyFile }) },
    { flags: tlsFlags(past), system: inAWeek },
  ]
  for (const options of bad)
    await expect(startNode(options)).rejects.toMatchObject({
      code: 'tls_unusable',
      next: expect.stringContaining('PEM'),
    })
})

test('[TLS.14] warns when it listens on every address without a public URL', async () => {
  const host = '0.0.0.0'
  expect((await startNode({ flags: { host } })).notes).toEqual([expect.stringContaining('--public-url')])
  expect((await startNode({ flags: { host, publicUrl: ['http://bridge.example:8787'] } })).notes).toEqual([])
  expect((await startNode()).notes).toEqual([])
})

test('[TLS.8] refuses a key that every account may read, in production and elsewhere', async () => {
  const tls = selfSigned()
  chmodSync(tls.keyFile, 0o644)
  const production = { NODE_ENV: 'production', JWT_SECRET: 'x'.repeat(32) }
  for (const env of [production, {}])
    await expect(startNode({ flags: tlsFlags(tls), env })).rejects.toMatchObject({
      code: 'rights_unsafe',
      message: expect.stringContaining(tls.keyFile),
      next: expect.stringContaining(`chmod g-w,o= "${tls.keyFile}"`),
    })
  chmodSync(tls.keyFile, 0o640)
  expect((await startNode({ flags: tlsFlags(tls), env: production })).notes).toEqual([])
})

test('[TLS.8] does not load a new key that every account may read', async () => {
  const { port, certificate, events } = await startTls()
  const used = await shown(port)
  const renewed = selfSigned()
  chmodSync(renewed.keyFile, 0o644)
  renameSync(renewed.keyFile, certificate.keyFile)
  renameSync(renewed.certFile, certificate.certFile)
  await vi.waitFor(() => expect(events).toHaveLength(1), 10_000)
  expect(events).toEqual([{ event: 'tls_reload_failed', error: expect.stringContaining('0644') }])
  expect(await shown(port)).toBe(used)
})

/** Sends bytes and waits for the socket to close. @returns the answer, and how long it took */
function outlast(port: number, bytes: string): Promise<{ answer: string; tookMs: number }> {
  const startMs = performance.now()
  const socket = connectPlain(port, '127.0.0.1', () => socket.write(bytes))
  onTestFinished(() => void socket.destroy())
  let answer = ''
  socket.on('error', () => {})
  socket.on('data', (data) => (answer += String(data)))
  return new Promise((resolve) =>
    socket.on('close', () => resolve({ answer, tookMs: performance.now() - startMs })),
  )
}

test('[HTTP.1] W28: closes within seconds a peer that never ends its headers or never begins', async () => {
  const { port } = await startNode()
  const started = 'GET /mcp HTTP/1.1\r\nHost: x\r\n'
  for (const { answer, tookMs } of await Promise.all([outlast(port, started), outlast(port, '')])) {
    expect(answer).toMatch(/^HTTP\/1\.1 408/)
    expect(tookMs).toBeGreaterThan(4_000)
  }
})

test('[TLS.9] W28: closes an endless TLS handshake within seconds', async () => {
  const { port } = await startTls()
  const hello = '\x16\x03\x01\x02\x00\x01'
  for (const { tookMs } of await Promise.all([outlast(port, ''), outlast(port, hello)])) {
    expect(tookMs).toBeGreaterThan(4_000)
  }
})

test.each([
  ['is not HTTP', 'nonsense\r\n\r\n', 400],
  ['has headers over 16 KiB', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  [
    'says its length twice',
    'POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    400,
  ],
  [
    'says its length in two ways',
    'POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    400,
  ],
])('[HTTP.2] W28: briefly answers a request that %s, and closes its socket', async (_what, bytes, status) => {
  const { port } = await startNode()
  const { answer } = await outlast(port, bytes)
  expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [\\w ]+\r\nConnection: close\r\n\r\n$`))
})

test('[HTTP.3] W28: drops connections over the limit, and keeps the open ones', async () => {
  const { url, port } = await startNode({ env: { BRIDGEKEEPER_MAX_CONNECTIONS: '1' } })
  const open = connectPlain(port, '127.0.0.1')
  onTestFinished(() => void open.destroy())
  await once(open, 'connect')
  const second = connectPlain(port, '127.0.0.1')
  second.on('error', () => {})
  await once(second, 'close')
  open.write('GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  expect(String(((await once(open, 'data')) as [Buffer])[0])).toMatch(/^HTTP\/1\.1 200/)
  await once(open, 'close')
  await vi.waitFor(async () => expect((await fetch(`${url}/readyz`)).status).toBe(200))
})
