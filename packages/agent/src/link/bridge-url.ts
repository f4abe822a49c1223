import { AgentError } from '../errors.ts'

const PATH = '/api/mcp-ws'
const SCHEMES = new Map([
  ['http:', 'ws:'],
  ['https:', 'wss:'],
  ['ws:', 'ws:'],
  ['wss:', 'wss:'],
])
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/**
 * The address to dial for what the user gave as the bridge: its web address, or the endpoint itself.
 *
 * @throws AgentError `url_invalid`, `url_credentials`, `url_insecure`
 */
export function bridgeUrl(text: string, allowInsecure: boolean): string {
  // A URL that does not parse is not repeated: it may hold a password.
  const url = URL.canParse(text) ? new URL(text) : undefined
  const scheme = SCHEMES.get(url?.protocol ?? '')
  if (url === undefined || scheme === undefined) throw new AgentError('url_invalid')
  if (url.username + url.password + url.search + url.hash !== '') throw new AgentError('url_credentials')
  if (scheme === 'ws:' && !allowInsecure && !LOOPBACK.test(url.hostname)) throw new AgentError('url_insecure')

  const path = url.pathname.replace(/\/+$/, '')
  return `${scheme}//${url.host}${path.endsWith(PATH) ? path : path + PATH}`
}

/**
 * The bridge's web address for what the user gave as the bridge, without a slash at its end: where machines are
 * enrolled.
 *
 * @throws AgentError `url_invalid`, `url_credentials`, `url_insecure`
 */
export function bridgeAddress(text: string, allowInsecure: boolean): string {
  const { protocol, host, pathname } = new URL(bridgeUrl(text, allowInsecure))
  return `${protocol === 'wss:' ? 'https' : 'http'}://${host}${pathname.slice(0, -PATH.length)}`
}
