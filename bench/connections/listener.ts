import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

/** Listens for sockets, over TLS if the environment names a certificate. Both servers use the same. */
export function listenerOf(): Server {
  const { BENCH_CERT, BENCH_KEY } = process.env
  if (BENCH_CERT === undefined || BENCH_KEY === undefined) return createServer({ noDelay: true })
  return createTlsServer({ noDelay: true, cert: readFileSync(BENCH_CERT), key: readFileSync(BENCH_KEY) })
}

/** @returns the port */
export async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 1_024 }, resolve))
  return (server.address() as AddressInfo).port
}
