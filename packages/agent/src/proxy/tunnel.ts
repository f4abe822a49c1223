import {
  type AgentOptions,
  type ClientRequestArgs,
  Agent as HttpAgent,
  request as httpRequest,
} from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Duplex } from 'node:stream'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { proxyFor } from './choice.ts'

/** Reports that a proxy refused or did not answer. The message never has its user or password. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError'
}

const CONNECT_MS = 10_000
const CHECK = 'Check HTTPS_PROXY and the other proxy variables of the environment.'

/**
 * Creates an agent of `node:http` that reaches the target through the proxy of the environment; `undefined`
 * if the target is reached directly. Requests a tunnel (RFC 9110 section 9.3.6) even without TLS, so that a
 * WebSocket passes.
 *
 * @throws AgentError `proxy_invalid`
 */
export function tunnelAgent(target: string, env: NodeJS.ProcessEnv = process.env): HttpAgent | undefined {
  const url = new URL(target)
  const proxy = proxyFor(url, env)
  if (proxy === undefined) return undefined
  const isSecure = url.protocol === 'https:' || url.protocol === 'wss:'
  return new TunnelAgent(proxy, `${url.hostname}:${url.port || (isSecure ? 443 : 80)}`, isSecure)
}

class TunnelAgent extends HttpAgent {
  /** `request` compares it with the protocol of the URL. */
  readonly protocol: string
  readonly #proxy: URL
  readonly #authority: string
  readonly #isSecure: boolean

  constructor(proxy: URL, authority: string, isSecure: boolean) {
    super({ keepAlive: false } satisfies AgentOptions)
    this.protocol = isSecure ? 'https:' : 'http:'
    this.#proxy = proxy
    this.#authority = authority
    this.#isSecure = isSecure
  }

  override createConnection(
    options: ClientRequestArgs,
    done?: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    openTunnel(this.#proxy, this.#authority).then(
      (socket) => {
        // `path` is the path of the request; `tls.connect` would take it for a Unix socket.
        const tls: ConnectionOptions = { ...(options as object), path: undefined, socket }
        done?.(null, this.#isSecure ? connectTls({ ALPNProtocols: ['http/1.1'], ...tls }) : socket)
      },
      // With an error, the callback takes no socket.
      (error: Error) => (done as ((error: Error) => void) | undefined)?.(error),
    )
  }
}

/** @throws ProxyError */
function openTunnel(proxy: URL, authority: string): Promise<Duplex> {
  const request = proxy.protocol === 'https:' ? httpsRequest : httpRequest
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>()
  const connecting = request({
    method: 'CONNECT',
    host: proxy.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
    path: authority,
    headers: { host: authority, ...credentials(proxy) },
    agent: false,
    timeout: CONNECT_MS,
  })
  connecting.once('connect', (response, socket, head) => {
    const status = response.statusCode ?? 0
    if (status < 200 || status > 299) {
      socket.destroy()
      return reject(new ProxyError(refusal(proxy, status)))
    }
    socket.setTimeout(0)
    if (head.length > 0) socket.unshift(head)
    resolve(socket)
  })
  connecting.once('timeout', () =>
    connecting.destroy(
      new ProxyError(`${named(proxy)} did not answer within ${CONNECT_MS / 1_000} seconds. ${CHECK}`),
    ),
  )
  connecting.on('error', (error: NodeJS.ErrnoException) =>
    reject(
      error instanceof ProxyError
        ? error
        : new ProxyError(`${named(proxy)} cannot be reached (${error.code ?? error.name}). ${CHECK}`),
    ),
  )
  connecting.end()
  return promise
}

function refusal(proxy: URL, status: number): string {
  if (status !== 407) return `${named(proxy)} refused the connection (HTTP status ${status}).`
  const problem = proxy.username === '' ? 'requires a user and a password' : 'rejected the user and password'
  return `${named(proxy)} ${problem} (407). Write them into HTTPS_PROXY, as in http://USER:PASSWORD@${proxy.host}.`
}

function named(proxy: URL): string {
  return `The proxy ${proxy.host}`
}

/** Source: RFC 7617 section 2. */
function credentials({ username, password }: URL): { 'proxy-authorization'?: string } {
  if (username === '' && password === '') return {}
  const pair = `${decoded(username)}:${decoded(password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
