import { type ClientRequest, createServer, type Server, request as send } from 'node:http'
import { pipeline } from 'node:stream'

/**
 * A proxy to a port of 127.0.0.1 that adds headers to each request. It passes on the rest as it comes, also a `Host`
 * that is not its own.
 */
export function addingHeaders(port: number, headers: Readonly<Record<string, string>>): Server {
  return createServer((incoming, answer) => {
    const { method, url: path, headers: sent } = incoming
    const outgoing = send({ host: '127.0.0.1', port, method, path, headers: { ...sent, ...headers } })
    answer.on('close', () => outgoing.destroy())
    outgoing.on('response', (response) => {
      answer.writeHead(response.statusCode ?? 0, response.headers)
      answer.flushHeaders()
      pipeline(response, answer, () => {})
    })
    outgoing.on('error', () => answer.destroy())
    pipeline(incoming, outgoing as ClientRequest, () => {})
  })
}
