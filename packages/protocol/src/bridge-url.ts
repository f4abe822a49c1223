import { isLoopbackHost } from './loopback.ts'

/** Matches a host, with or without a port, that people write without a scheme. */
const NO_SCHEME = /^(?:[\w-]+(?:\.[\w-]+)*|\[[0-9a-f:.]+\])(?::\d{1,5})?(?:\/|$)/i
const WEB_SCHEMES = new Map([
  ['http:', 'http:'],
  ['https:', 'https:'],
  ['ws:', 'http:'],
  ['wss:', 'https:'],
])
/** Paths that people may enter with the bridge's address: endpoints and the account page. The first match is removed, once. */
const ENDPOINTS = [/\/api\/mcp-ws$/, /\/mcp$/, /\/mcp\/[^/]+$/, /\/account$/]

/**
 * Reads the address of a bridge in the spellings that people enter: its web address, its MCP endpoint or that
 * of one server, the agents' endpoint, or the account page, with or without a scheme. The default scheme is https, and http for
 * this machine.
 *
 * @returns the web address of the bridge, with user name, password, query and fragment unchanged, for the
 * caller to refuse; `undefined` for any other text
 */
export function readBridgeUrl(text: string): URL | undefined {
  const url = parsed(NO_SCHEME.test(text) ? withScheme(text) : text)
  const protocol = WEB_SCHEMES.get(url?.protocol ?? '')
  if (url === undefined || protocol === undefined) return undefined
  url.protocol = protocol
  const path = url.pathname.replace(/\/+$/, '')
  url.pathname = path.replace(ENDPOINTS.find((endpoint) => endpoint.test(path)) ?? '', '')
  return url
}

/**
 * Returns the address of a URL without a trailing slash, so that a path can be appended.
 * @returns `undefined` if the URL also has a user name, password, query or fragment
 */
export function plainAddress({
  username,
  password,
  search,
  hash,
  origin,
  pathname,
}: URL): string | undefined {
  if (username + password + search + hash !== '') return undefined
  return origin + pathname.replace(/\/+$/, '')
}

function withScheme(text: string): string {
  const url = `http://${text}`
  return isLoopbackHost(parsed(url)?.hostname ?? '') ? url : `https://${text}`
}

function parsed(text: string): URL | undefined {
  return URL.parse(text) ?? undefined
}
