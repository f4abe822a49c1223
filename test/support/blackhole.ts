import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Blackhole {
  readonly port: number
  /** Forwards nothing more of the connections that are open, and closes none of them. */
  silence(): void
  /** Closes the clients' ends of silent connections: they connect again, while the server knows of nothing. */
  hangUp(): void
}

/** A TCP relay that can fall silent without a word to either side, as a network does when a cable is cut. */
export async function blackhole(port: number): Promise<Blackhole> {
  const sockets: Socket[] = []
  const silent = new Set<Socket>()
  const clients: Socket[] = []
  const server = createServer((client) => {
    clients.push(client)
    const upstream = connect(port, '127.0.0.1')
    sockets.push(client, upstream)
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('error', () => {})
      from.on('data', (chunk) => void (silent.has(client) || to.write(chunk)))
      from.on('close', () => void (silent.has(client) || to.destroy()))
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return {
    port: (server.address() as AddressInfo).port,
    silence: () => {
      for (const client of clients) silent.add(client)
    },
    hangUp: () => {
      for (const client of silent) client.destroy()
    },
  }
}
