import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SetupError } from '../config/setup-error.ts'

/** @throws SetupError `port_taken`, `address_unusable` */
export function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)))
    server.listen(port, host, resolve)
  })
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): SetupError {
  if (error.code === 'EADDRINUSE') {
    return new SetupError(
      'port_taken',
      `Port ${port} on ${host} is taken; perhaps a bridge runs there already.`,
      `Stop the program that uses it, or choose another port: --port ${port + 1}, or PORT=${port + 1} in the environment.`,
      { cause: error },
    )
  }
  return new SetupError(
    'address_unusable',
    `Cannot listen on ${host}:${port}: ${error.message}`,
    'Choose another --host or --port.',
    {
      cause: error,
    },
  )
}

/** The server's address, e.g. `http://127.0.0.1:8787`. */
export function urlOf(server: Server, scheme: 'http' | 'https', host: string): string {
  const { port } = server.address() as AddressInfo
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`
}
