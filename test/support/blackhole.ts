import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A TCP relay that can fall silent without a word to either side, as a network does when a cable is cut. */
export async function blackhole(port: number): Promise<{ readonly port: number; silence(): void }> {
  const sockets: Socket[] = []
  let isSilent = false
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    sockets.push(client, upstream)
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('error', () => {})
      from.on('data', (chunk) => void (isSilent || to.write(chunk)))
      from.on('close', () => void (isSilent || to.destroy()))
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
      isSilent = true
    },
  }
}
