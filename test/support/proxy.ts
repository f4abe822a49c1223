import { connect, createServer, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { onTestFinished, vi } from 'vitest'
import type { TestCertificate } from './certificates.ts'

export interface TestProxy {
  /** `127.0.0.1:PORT`. */
  readonly at: string
  /** The heads of the requests that it got. */
  readonly asked: readonly string[]
}

/**
 * A proxy whose tunnels all lead to one port of this machine, regardless of the requested name.
 *
 * @param answer in place of a tunnel
 */
export async function startProxy(
  port: number,
  { answer, tls }: { readonly answer?: string; readonly tls?: TestCertificate } = {},
): Promise<TestProxy> {
  const asked: string[] = []
  const sockets = new Set<Socket>()
  const serve = (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', (head) => {
      asked.push(head.toString('latin1'))
      if (answer !== undefined) return socket.end(answer)
      const onward = connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
        socket.pipe(onward).pipe(socket)
      })
      sockets.add(onward)
      onward.on('error', () => socket.destroy())
    })
  }
  const server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const address = server.address()
  return { at: `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`, asked }
}

/** Sets these variables of proxies for one test, and none else. */
export function proxyEnvironment(variables: Readonly<Record<string, string>>): void {
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY']
  for (const name of names.flatMap((each) => [each, each.toLowerCase()])) vi.stubEnv(name, variables[name])
  onTestFinished(() => void vi.unstubAllEnvs())
}
