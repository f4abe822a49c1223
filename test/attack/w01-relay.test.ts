import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { connect, createServer as createTcpServer, type Server } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, connect as tlsConnect } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import WebSocket from 'ws'
import { selfSigned } from '../support/certificates.ts'
import {
  AGENT_PATH,
  type DeviceBridge,
  prove,
  startDeviceBridge,
  type TestDevice,
} from '../support/devices.ts'
import { type Message, Peer } from '../support/peer.ts'

/** A device on a separate TLS connection, as its program sees it. */
interface Dialled {
  readonly peer: Peer
  readonly exporter: Buffer
}

async function dialTls(port: number, cert: string, { accessToken }: TestDevice): Promise<Dialled> {
  const socket = new WebSocket(`wss://localhost:${port}${AGENT_PATH}`, ['bridgekeeper.v2'], {
    ca: cert,
    headers: { authorization: `Bearer ${accessToken}` },
  })
  onTestFinished(() => socket.terminate())
  const peer = new Peer(socket)
  const exporter = await new Promise<Buffer>((resolve, reject) => {
    socket.once('error', reject)
    socket.once('upgrade', ({ socket: tls }) =>
      resolve((tls as TLSSocket).exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))),
    )
  })
  return { peer, exporter }
}

function answer({ peer, exporter }: Dialled, device: TestDevice, challenge: Message, origin: string): void {
  const binding = { bindingType: 'tls-exporter', bindingValue: exporter } as const
  peer.send({ type: 'challenge_response', proof: prove(device, challenge, origin, binding).proof })
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

/** Puts the bridge behind separate TLS. @returns its port */
async function overTls(
  at: DeviceBridge,
  certificate: { readonly cert: string; readonly key: string },
): Promise<number> {
  const server = createHttpsServer(certificate)
  at.bridge.attach(server)
  return listening(server)
}

async function tlsBridge() {
  const certificate = selfSigned()
  // The public URL leads to the relay, whose certificate for it is valid.
  const publicUrl = 'https://bridge.example.com'
  const at = await startDeviceBridge({ publicUrls: [publicUrl, 'https://localhost'] })
  return { certificate, publicUrl, port: await overTls(at, certificate), device: await at.enrol('ann') }
}

test('[PROOF.13] accepts a proof bound to the TLS connection that ends at the bridge', async () => {
  const { certificate, publicUrl, port, device } = await tlsBridge()
  const direct = await dialTls(port, certificate.cert, device)
  const challenge = await direct.peer.next('challenge')
  expect(challenge).toMatchObject({ proof: { binding: 'tls-exporter' } })
  answer(direct, device, challenge, publicUrl)
  await direct.peer.next('challenge_verified')
})

test('[PROOF.13] W01: refuses a proof that a relay on the same origin, with its own certificate, forwards', async () => {
  const { certificate, publicUrl, port, device } = await tlsBridge()
  const relays = selfSigned()
  const relay = createTlsServer(relays, (victim) => {
    const onward = tlsConnect({ port, host: '127.0.0.1', ca: certificate.cert, servername: 'localhost' })
    for (const one of [victim, onward]) one.on('error', () => {})
    victim.pipe(onward).pipe(victim)
  })
  const victim = await dialTls(await listening(relay), relays.cert, device)
  answer(victim, device, await victim.peer.next('challenge'), publicUrl)
  expect(await victim.peer.closed).toEqual({ code: 1008, reason: 'proof_failed' })
})

test('[PROOF.13] W01: refuses a proof without a binding over TLS', async () => {
  const { certificate, publicUrl, port, device } = await tlsBridge()
  const victim = await dialTls(port, certificate.cert, device)
  const challenge = await victim.peer.next('challenge')
  victim.peer.send({ type: 'challenge_response', proof: prove(device, challenge, publicUrl).proof })
  expect(await victim.peer.closed).toEqual({ code: 1008, reason: 'proof_failed' })
})

test('[PROOF.4] W01: refuses a proof that a relay on another origin forwards', async () => {
  const at = await startDeviceBridge()
  const device = await at.enrol('ann')
  const relay = createTcpServer((victim) => {
    const onward = connect(at.port, '127.0.0.1')
    for (const one of [victim, onward]) one.on('error', () => {})
    victim.pipe(onward).pipe(victim)
  })
  const port = await listening(relay)
  const url = `http://127.0.0.1:${port}`
  const socket = new WebSocket(`ws://127.0.0.1:${port}${AGENT_PATH}`, ['bridgekeeper.v2'], {
    headers: { authorization: `Bearer ${device.accessToken}`, host: `127.0.0.1:${at.port}` },
  })
  onTestFinished(() => socket.terminate())
  const victim = new Peer(socket)
  const challenge = await victim.next('challenge')
  victim.send({ type: 'challenge_response', proof: prove(device, challenge, url).proof })
  expect(await victim.closed).toEqual({ code: 1008, reason: 'proof_failed' })
})

test('[PROOF.4] W01: does not take the bridge’s origin from a Host header', async () => {
  const at = await startDeviceBridge({ publicUrls: ['https://bridge.example.com'] })
  const device = await at.enrol('ann')
  const socket = new WebSocket(`ws://127.0.0.1:${at.port}${AGENT_PATH}`, ['bridgekeeper.v2'], {
    headers: { authorization: `Bearer ${device.accessToken}`, host: `localhost:${at.port}` },
  })
  onTestFinished(() => socket.terminate())
  const peer = new Peer(socket)
  const challenge = await peer.next('challenge')
  peer.send({
    type: 'challenge_response',
    proof: prove(device, challenge, `http://localhost:${at.port}`).proof,
  })
  expect(await peer.closed).toEqual({ code: 1008, reason: 'proof_failed' })
})
