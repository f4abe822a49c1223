import ipaddr from 'ipaddr.js'
import { memoize } from '../memoize.ts'
import { ownNames } from './own-names.ts'
import { isLoopback, type RequestFacts, type TrustedProxies } from './request-facts.ts'
import { allow, deny, type Verdict } from './verdict.ts'

/** [TLS.5] HSTS for a year, for this host only (RFC 6797). */
export const strictTransport: Readonly<Record<string, string>> = {
  'Strict-Transport-Security': 'max-age=31536000',
}

export const TLS_MODES = ['required', 'terminated-by-proxy', 'off'] as const
export type TlsMode = (typeof TLS_MODES)[number]

export interface TransportPolicy {
  readonly mode: TlsMode
  /** Whether the machine itself may connect without TLS; set outside production only. */
  readonly loopbackPlain: boolean
}

/**
 * Layer 1: whether this connection is encrypted on its way. Threat: a token that travels in the clear.
 *
 * Rules: [TLS.1] TLS that ends here is secure; [TLS.2] behind a proxy, only a trusted proxy can vouch for
 * https; [TLS.3] loopback is decided by the socket's address.
 */
export function isSecureConnection(
  { encrypted, remoteAddress, forwardedProto }: RequestFacts,
  proxies: TrustedProxies,
  { mode, loopbackPlain }: TransportPolicy,
): boolean {
  if (encrypted || mode === 'off') return true
  if (mode === 'terminated-by-proxy' && proxies.has(remoteAddress)) return saysHttps(forwardedProto)
  return loopbackPlain && isLoopback(remoteAddress)
}

/** Refuses a connection that is not encrypted on its way. */
export function transportGate(
  facts: RequestFacts,
  proxies: TrustedProxies,
  policy: TransportPolicy,
): Verdict<void> {
  return isSecureConnection(facts, proxies, policy) ? allow(undefined) : deny('transport_insecure')
}

/** A client may have written part of the list, so every entry must be `https`. */
function saysHttps(forwardedProto: readonly string[]): boolean {
  const said = forwardedProto.join(',').split(',')
  return said.every((proto) => proto.trim().toLowerCase() === 'https')
}

export interface OriginPolicy {
  /** Spelled as browsers do: `https://app.example.com`, no path, no default port. */
  readonly origins: ReadonlySet<string>
  /** Whether a received Host header names this bridge. */
  isOurHost(host: string): boolean
}

/** A name that always leads to the same machine (RFC 6761 section 6.3). */
const LOOPBACK_HOST = 'localhost'
const HOST = /^([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/

const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`)

/**
 * Builds the policy for a bridge under these addresses: allowed page origins and hosts.
 *
 * @param publicUrls the bridge's own addresses, e.g. `https://bridge.example.com`
 * @param allowedOrigins further origins whose pages may use it
 * @throws TypeError if one of them is not an `http` or `https` URL
 */
export function originPolicy(
  publicUrls: readonly string[],
  allowedOrigins: readonly string[] = [],
): OriginPolicy {
  const own = ownNames(publicUrls).map(webUrl)
  const others = allowedOrigins.map(webUrl)
  const hosts = new Set([LOOPBACK_HOST, ...own.map(({ hostname }) => hostname)])
  return {
    origins: new Set([...own, ...others].map(({ origin }) => origin)),
    isOurHost: memoize((host) => isListedOrAddress(host, hosts)),
  }
}

/**
 * Threat: a page in a user's browser uses the user's cookie (cross-site WebSocket hijacking), or reaches a
 * bridge on the user's network through DNS rebinding.
 *
 * Rules: [ORIGIN.1] a request with an Origin comes from a browser, and its origin must be listed, regardless
 * of its credential; [ORIGIN.2] a request without one does not come from a browser; [ORIGIN.3] the Host must
 * be a listed name or an address, since rebinding needs a name. Source: RFC 6455 section 10.2, RFC 6454
 * section 7, MCP Streamable HTTP (security warning).
 */
export function originGate({ origin, host }: RequestFacts, policy: OriginPolicy): Verdict<void> {
  const [name] = host
  if (host.length !== 1 || name === undefined || !policy.isOurHost(name)) return deny('host_forbidden')
  const listed = origin.every((one) => policy.origins.has(one))
  return origin.length <= 1 && listed ? allow(undefined) : deny('origin_forbidden')
}

/** [ORIGIN.4] Other schemes have the origin `null`, the same as every sandboxed page. */
function webUrl(text: string): URL {
  const url = new URL(text)
  if (url.protocol === 'https:' || url.protocol === 'http:') return url
  throw new TypeError(`${JSON.stringify(text)} does not begin with https:// or http://.`)
}

/** @param hosts names in lower case, without ports */
function isListedOrAddress(text: string, hosts: ReadonlySet<string>): boolean {
  const name = HOST.exec(text.toLowerCase())?.[1]
  if (name === undefined) return false
  if (hosts.has(name)) return true
  return name.startsWith('[') ? ipaddr.IPv6.isValid(name.slice(1, -1)) : IPV4.test(name)
}
