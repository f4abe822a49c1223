import { isLoopback, type RequestFacts, type TrustedProxies } from './request-facts.ts'
import { allow, deny, type Verdict } from './verdict.ts'

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
