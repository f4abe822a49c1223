import { isLoopbackHost } from './loopback.ts'

/** Host and port as people write them, without a scheme. */
const NO_SCHEME = /^(?:[\w-]+(?:\.[\w-]+)*|\[[0-9a-f:.]+\])(?::\d{1,5})?(?:\/|$)/i
const WEB_SCHEMES = new Map([
  ['http:', 'http:'],
  ['https:', 'https:'],
  ['ws:', 'http:'],
  ['wss:', 'https:'],
])
/** Endpoints of a bridge, of which people have the address at hand. Each is left out once, the first that fits. */
const ENDPOINTS = [/\/api\/mcp-ws$/, /\/mcp$/, /\/mcp\/[^/]+$/]

/**
 * Reads the address of a bridge as people give it: its web address, that of its MCP endpoint or of one server there,
 * that of the agents' endpoint, with or without a scheme. Without one it is https, at this machine http.
 *
 * @returns the web address under which the bridge stands, with user name, password, query and fragment as they were
 * given, for the caller to refuse; `undefined` if it is no such address
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

function withScheme(text: string): string {
  const url = `http://${text}`
  return isLoopbackHost(parsed(url)?.hostname ?? '') ? url : `https://${text}`
}

function parsed(text: string): URL | undefined {
  return URL.parse(text) ?? undefined
}
