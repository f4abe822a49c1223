import { isIP } from 'node:net'
import type { TlsMode } from '@bridgekeeper/bridge/parts'
import ipaddr from 'ipaddr.js'
import { SetupError } from './setup-error.ts'

/** Settings of how a node is reached, each valid, not yet checked against the others. */
export interface ReachOptions {
  readonly production: boolean
  readonly hasOwnTls: boolean
  /** The default depends on `production` and the certificate. */
  readonly tlsMode: TlsMode | undefined
  /** CIDR ranges of proxies whose headers are trusted. */
  readonly trustedProxies: readonly string[]
  readonly publicUrls: readonly string[]
  readonly allowedOrigins: readonly string[]
}

/** The resolved settings for `createBridge`. */
export interface BridgeSettings {
  readonly tls: TlsMode
  /** CIDR ranges. */
  readonly trustedProxies: readonly string[]
  readonly publicUrls: readonly string[]
  readonly allowedOrigins: readonly string[]
  /** Outside of production the bridge accepts plain connections from its own machine. */
  readonly production: boolean
}

/**
 * [TLS.6] [TLS.7] Checks how a node is reached, before anything is opened.
 * @throws SetupError `setting_invalid`, `tls_cert_missing`, `tls_off_in_production`, `trusted_proxy_missing`,
 * `public_url_missing`
 */
export function bridgeSettings(options: ReachOptions): BridgeSettings {
  const { production, trustedProxies, publicUrls, allowedOrigins } = options
  const tls = checkedMode(options)
  if (tls === 'terminated-by-proxy' && trustedProxies.length === 0) {
    throw new SetupError(
      'trusted_proxy_missing',
      '--tls terminated-by-proxy requires --trusted-proxy.',
      'Set the address of the proxy, such as --trusted-proxy 10.0.0.5 (or BRIDGEKEEPER_TRUSTED_PROXIES).',
    )
  }
  if (tls === 'terminated-by-proxy' && production && publicUrls.length === 0) {
    throw new SetupError(
      'public_url_missing',
      '--tls terminated-by-proxy requires --public-url.',
      'Set the URL of the bridge at the proxy: --public-url https://bridge.example.com (or BRIDGEKEEPER_PUBLIC_URLS).',
    )
  }
  if (production && publicUrls.some((url) => !url.startsWith('https:')))
    throw invalid(
      'In production each --public-url must be an https URL.',
      'Use a URL like https://bridge.example.com.',
    )
  return { tls, trustedProxies, publicUrls, allowedOrigins, production }
}

/** [TLS.14] Returns hints for an operator about how a node is reached. @param url address at which it listens */
export function reachNotes({ publicUrls }: BridgeSettings, host: string, url: string): readonly string[] {
  if (!isEverywhere(host) || publicUrls.length > 0) return []
  return [
    `This node cannot be reached as ${url}, where apps that log in are redirected. Set its public URL: --public-url URL (or BRIDGEKEEPER_PUBLIC_URLS).`,
  ]
}

/** The address to show to users: the public URL, else where the node listens, with a placeholder for every address. */
export function shownUrl({ publicUrls: [first] }: BridgeSettings, host: string, url: string): string {
  if (first !== undefined) return first
  return isEverywhere(host) ? url.replace(/\/\/.*(?=:\d+$)/, '//ADDRESS-OF-THIS-MACHINE') : url
}

function isEverywhere(host: string): boolean {
  return isIP(host) !== 0 && ipaddr.process(host).range() === 'unspecified'
}

function checkedMode({ tlsMode, hasOwnTls, production }: ReachOptions): TlsMode {
  const mode = tlsMode ?? 'required'
  if (mode === 'off' && production) {
    throw new SetupError(
      'tls_off_in_production',
      'TLS cannot be off in production.',
      'Give --tls-cert and --tls-key, or --tls terminated-by-proxy with --trusted-proxy.',
    )
  }
  if (mode === 'off' && hasOwnTls)
    throw invalid('--tls off contradicts --tls-cert.', 'Leave out --tls off, or the certificate.')
  if (mode === 'required' && !hasOwnTls && (production || tlsMode !== undefined)) {
    throw new SetupError(
      'tls_cert_missing',
      'TLS requires a certificate.',
      'Give --tls-cert FILE and --tls-key FILE; or, behind a proxy that terminates TLS, --tls terminated-by-proxy with --trusted-proxy ADDRESS.',
    )
  }
  return mode
}

function invalid(message: string, next: string): SetupError {
  return new SetupError('setting_invalid', message, next)
}
