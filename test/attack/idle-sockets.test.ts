import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { realSystem } from '@bridgekeeper/bridge'
import { type Node, serve } from '@bridgekeeper/standalone'
import { MAX_SOCKETS_PER_ADDRESS } from '@bridgekeeper/standalone/testing'
import { expect, onTestFinished, test } from 'vitest'
import type { TestBridge } from '../support/bridge.ts'
import { selfSigned } from '../support/certificates.ts'
import { addUser, issueToken } from '../support/operator.ts'
import { type Peer, verifiedPeer } from '../support/peer.ts'
import { RawClient } from '../support/raw.ts'
import { type NodeTestOptions, settingsOf, tlsFlags } from '../support/settings.ts'

const HEALTH = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'

interface World {
  readonly node: Node
  readonly port: number
  /** Lines of the security log. */
  readonly lines: () => string
}

async function start({ flags, env = {} }: NodeTestOptions = {}): Promise<World> {
  const settings = settingsOf(flags, env)
  const node = await serve({ settings, env, system: realSystem() })
  onTestFinished(() => node.close())
  const lines = () => readFileSync(join(settings.dataFolder, 'security.log'), 'utf8')
  return { node, port: Number(new URL(node.url).port), lines }
}

/** Limits the sockets of one address. */
const perAddress = (limit: number) => ({
  env: { BRIDGEKEEPER_MAX_CONNECTIONS_PER_ADDRESS: String(limit) },
})

/** A socket that sends nothing. */
async function silent(port: number, localAddress: string): Promise<RawClient> {
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  onTestFinished(() => void socket.destroy())
  const client = new RawClient(socket)
  await Promise.race([once(socket, 'connect'), client.ended])
  return client
}

/** Asks for `/healthz` once. @returns whether there was an answer */
async function ask(client: RawClient): Promise<boolean> {
  const seen = client.received.length
  client.write(HEALTH)
  await client.until(() => client.received.length > seen || client.socket.closed)
  return client.received.length > seen
}

/** A keep-alive connection that was used once, and is idle now. */
async function idle(port: number, localAddress: string): Promise<RawClient> {
  const client = await silent(port, localAddress)
  await ask(client)
  return client
}

/** A request that stays in flight: its form does not come to its end. */
async function unanswered({ node, port }: World, localAddress: string): Promise<RawClient> {
  const client = await silent(port, localAddress)
  const head = ['POST /login HTTP/1.1', 'Host: localhost', `Origin: ${node.url}`, 'Content-Length: 9']
  client.write(`${head.join('\r\n')}\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n`)
  // An answer to the next request would come after it.
  await ask(await silent(port, '127.0.0.9'))
  return client
}

async function agent({ node, port }: World): Promise<Peer> {
  const { data } = node
  await addUser(data, 'ann@example.com')
  return verifiedPeer({ port } as TestBridge, await issueToken(data, 'ann@example.com', 60_000))
}

function open(clients: readonly RawClient[]): number {
  return clients.filter(({ socket }) => !socket.closed && !socket.readableEnded).length
}

test('[HTTP.4] closes the idlest sockets of an address above 512, and no others', async () => {
  const { port } = await start()
  const other = await idle(port, '127.0.0.2')
  const many: RawClient[] = []
  for (let count = 0; count < MAX_SOCKETS_PER_ADDRESS + 88; count++) many.push(await idle(port, '127.0.0.3'))
  await Promise.all(many.slice(0, 88).map(({ ended }) => ended))
  expect(open(many)).toBe(MAX_SOCKETS_PER_ADDRESS)
  expect(await ask(many.at(-1) as RawClient)).toBe(true)
  expect(await ask(other)).toBe(true)
})

test.each<[string, (port: number) => Promise<RawClient>]>([
  ['sockets that say nothing', (port) => silent(port, '127.0.0.3')],
  ['idle keep-alive connections', (port) => idle(port, '127.0.0.3')],
])('[HTTP.4] limits per address: %s', async (_what, connected) => {
  const { port } = await start(perAddress(5))
  const clients: RawClient[] = []
  for (let count = 0; count < 12; count++) clients.push(await connected(port))
  await Promise.all(clients.slice(0, 7).map(({ ended }) => ended))
  expect(open(clients)).toBeLessThanOrEqual(5)
  expect(await ask(clients.at(-1) as RawClient)).toBe(true)
})

test('[HTTP.4] does not treat a socket that was just used as the idlest', async () => {
  const { port } = await start(perAddress(2))
  const [first, second] = [await idle(port, '127.0.0.3'), await idle(port, '127.0.0.3')]
  await ask(first)
  await idle(port, '127.0.0.3')
  await second.ended
  expect(await ask(first)).toBe(true)
})

test('[HTTP.4] when all sockets of an address are in use, closes the newcomer and logs it', async () => {
  const world = await start(perAddress(2))
  const peer = await agent(world)
  const waiting = await unanswered(world, '127.0.0.1')
  for (let count = 0; count < 3; count++) {
    const newcomer = await silent(world.port, '127.0.0.1')
    await newcomer.ended
    expect(newcomer.received).toHaveLength(0)
  }
  peer.send({ type: 'ping' })
  await peer.next('pong')
  expect(await ask(await silent(world.port, '127.0.0.2'))).toBe(true)
  waiting.write('formToken')
  expect((await waiting.answer()).status).toBe(403)
  await expect.poll(world.lines).toContain('"event":"connection_dropped"')
  expect(world.lines()).toContain('"ip":"127.0.0.1","reason":"address_full"')
})

test('[HTTP.4] frees the place of each closed socket, however it closes', async () => {
  const { port } = await start(perAddress(3))
  for (let round = 0; round < 5; round++) {
    const clients = [await silent(port, '127.0.0.3'), await idle(port, '127.0.0.3')]
    clients.push(await idle(port, '127.0.0.3'), await idle(port, '127.0.0.3'))
    await clients[0]?.ended
    expect(open(clients)).toBe(3)
    clients[1]?.socket.resetAndDestroy()
    clients[2]?.socket.end()
    clients[3]?.write('nonsense\r\n\r\n')
    await Promise.all(clients.map(({ ended }) => ended))
  }
})

test('[HTTP.4] does not limit the sockets of a trusted proxy per address', async () => {
  const { port } = await start({ flags: { trustedProxy: ['127.0.0.3'] }, ...perAddress(2) })
  const clients: RawClient[] = []
  for (let count = 0; count < 8; count++) clients.push(await idle(port, '127.0.0.3'))
  for (const client of clients) expect(await ask(client)).toBe(true)
})

test('[HTTP.5] closes the idlest sockets of a nearly full node, so that newcomers are served', async () => {
  const world = await start({ env: { BRIDGEKEEPER_MAX_CONNECTIONS: '20' } })
  const peer = await agent(world)
  const waiting = await unanswered(world, '127.0.0.4')
  const idlers: RawClient[] = []
  for (let count = 0; count < 16; count++) idlers.push(await idle(world.port, `127.0.1.${count + 1}`))
  const [first, second] = idlers as [RawClient, RawClient]
  await ask(first)
  for (let count = 0; count < 12; count++)
    expect(await ask(await silent(world.port, `127.0.2.${count + 1}`)), String(count)).toBe(true)
  await second.ended
  expect(open(idlers)).toBeLessThan(8)
  peer.send({ type: 'ping' })
  await peer.next('pong')
  waiting.write('formToken')
  expect((await waiting.answer()).status).toBe(403)
})

test('[HTTP.5] serves other addresses while one address keeps all of its sockets in use', async () => {
  const world = await start({ env: { BRIDGEKEEPER_MAX_CONNECTIONS: '20' } })
  const held: RawClient[] = []
  for (let count = 0; count < 30; count++) held.push(await unanswered(world, '127.0.0.3'))
  expect(open(held)).toBeLessThan(20)
  expect(await ask(await silent(world.port, '127.0.0.2'))).toBe(true)
})

/** Connects by TCP, and by TLS where that is wanted. */
async function overTls(port: number, options: ConnectionOptions & { localAddress: string }): Promise<Socket> {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options })
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  await Promise.race([once(socket, 'secureConnect'), once(socket, 'close')])
  return socket
}

test('[HTTP.4] [HTTP.5] over TLS, limits unfinished handshakes and idle connections, and completes requests in flight', async () => {
  const world = await start({ flags: tlsFlags(selfSigned()), ...perAddress(3) })
  const { port } = world
  const waiting = new RawClient(await overTls(port, { localAddress: '127.0.0.3' }))
  const head = ['POST /login HTTP/1.1', 'Host: localhost', `Origin: ${world.node.url}`, 'Content-Length: 9']
  waiting.write(`${head.join('\r\n')}\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n`)
  const tlsIdle = new RawClient(await overTls(port, { localAddress: '127.0.0.3' }))
  expect(await ask(tlsIdle)).toBe(true)
  const handshakes: RawClient[] = []
  for (let count = 0; count < 6; count++) handshakes.push(await silent(port, '127.0.0.3'))
  await Promise.all([tlsIdle, ...handshakes.slice(0, 4)].map(({ ended }) => ended))
  expect(open(handshakes)).toBeLessThanOrEqual(2)
  for (let count = 0; count < 5; count++) {
    const newcomer = new RawClient(await overTls(port, { localAddress: '127.0.0.3' }))
    expect(await ask(newcomer)).toBe(true)
  }
  waiting.write('formToken')
  expect((await waiting.answer()).status).toBe(403)
})
