import { isIP } from 'node:net'
import { type Environment, isProduction, type TlsMode } from '@bridgekeeper/bridge/parts'
import ipaddr from 'ipaddr.js'
import { SetupError } from './setup-error.ts'

/** Who reaches a node how, as an operator says it; checked by `bridgeSettings`. */
export interface ReachOptions {
  readonly env: Environment
  /** Whether the node has a certificate of its own. */
  readonly ownTls: boolean
  /** `required`, `terminated-by-proxy` or `off`; the default depends on `NODE_ENV` and the certificate. */
  readonly tlsMode?: string
  /** Addresses or CIDR ranges of proxies whose headers are believed. */
  readonly trustedProxies?: readonly string[]
  readonly publicUrls?: readonly string[]
  readonly allowedOrigins?: readonly string[]
}

/** The same for the bridge, with nothing left to guess: a part of what `createBridge` takes. */
export interface BridgeSettings {
  readonly tls: TlsMode
  /** CIDR ranges. */
  readonly trustedProxies: readonly string[]
  readonly publicUrls: readonly string[]
  readonly allowedOrigins: readonly string[]
  /** Outside of production the bridge takes plain connections from its own machine. */
  readonly production: boolean
}

const MODES: readonly string[] = ['required', 'terminated-by-proxy', 'off'] satisfies TlsMode[]

/**
 * [TLS.6] [TLS.7] Checks how a node is reached, before anything is opened.
 * @throws SetupError `setting_invalid`, `tls_cert_missing`, `tls_off_in_production`, `trusted_proxy_missing`,
 * `public_url_missing`
 */
export function bridgeSettings(options: ReachOptions): BridgeSettings {
  const production = isProduction(options.env)
  const tls = tlsMode(options, production)
  const trustedProxies = (options.trustedProxies ?? []).map(proxyRange)
  if (tls === 'terminated-by-proxy' && trustedProxies.length === 0) {
    throw new SetupError(
      'trusted_proxy_missing',
      'A proxy is said to end TLS, but not which.',
      "Give the proxy's address, such as --trusted-proxy 10.0.0.5 (or BRIDGEKEEPER_TRUSTED_PROXIES).",
    )
  }
  if (tls === 'terminated-by-proxy' && production && (options.publicUrls ?? []).length === 0) {
    throw new SetupError(
      'public_url_missing',
      'A proxy ends TLS, and under which address people come through it is not known.',
      'Give that address: --public-url https://bridge.example.com (or BRIDGEKEEPER_PUBLIC_URLS).',
    )
  }
  return {
    tls,
    trustedProxies,
    publicUrls: (options.publicUrls ?? []).map((url) => publicUrl(url, production)),
    allowedOrigins: (options.allowedOrigins ?? []).map(origin),
    production,
  }
}

/** [TLS.14] What an operator should know of how a node is reached. @param url where it listens */
export function reachNotes({ publicUrls }: BridgeSettings, host: string, url: string): readonly string[] {
  const isEverywhere = isIP(host) !== 0 && ipaddr.process(host).range() === 'unspecified'
  if (!isEverywhere || publicUrls.length > 0) return []
  return [
    `Nobody reaches this node as ${url}, and apps that log in there are sent to that address. Say under which it is reached: --public-url URL (or BRIDGEKEEPER_PUBLIC_URLS).`,
  ]
}

function tlsMode({ tlsMode: given, ownTls }: ReachOptions, production: boolean): TlsMode {
  const mode = given ?? 'required'
  if (!isMode(mode)) {
    throw invalid(`The TLS mode is ${JSON.stringify(mode)}.`, `Give one of ${MODES.join(', ')}.`)
  }
  if (mode === 'off' && production) {
    throw new SetupError(
      'tls_off_in_production',
      'In production, TLS is not switched off.',
      'Give --tls-cert and --tls-key, or --tls terminated-by-proxy with --trusted-proxy.',
    )
  }
  if (mode === 'off' && ownTls) {
    throw invalid('There is a certificate, and TLS is off.', 'Leave out --tls off, or the certificate.')
  }
  if (mode === 'required' && !ownTls && (production || given !== undefined)) {
    throw new SetupError(
      'tls_cert_missing',
      'TLS is required, and there is no certificate.',
      'Give --tls-cert FILE and --tls-key FILE; or, behind a proxy that ends TLS, --tls terminated-by-proxy with --trusted-proxy ADDRESS.',
    )
  }
  return mode
}

function isMode(text: string): text is TlsMode {
  return MODES.includes(text)
}

/**
 * An address or range, as a range. One that begins at another address than is written is a slip; one of
 * all addresses would let anyone claim to be a proxy.
 */
function proxyRange(text: string): string {
  const [address = '', bits = isIP(text) === 4 ? '32' : '128', ...more] = text.split('/')
  const version = isIP(address)
  if (version !== 0 && more.length === 0 && /^[1-9]\d{0,2}$/.test(bits)) {
    const range = `${address}/${bits}`
    const first = firstAddress(range, version)
    if (first === ipaddr.parse(address).toNormalizedString()) return range
  }
  throw invalid(
    `The trusted proxy ${JSON.stringify(text)} is no address or range.`,
    'Give one like 10.0.0.5, 10.0.0.0/8 or fd00::/8, and not all addresses.',
  )
}

/** `undefined` where the range has more bits than an address. */
function firstAddress(range: string, version: number): string | undefined {
  try {
    const parser = version === 4 ? ipaddr.IPv4 : ipaddr.IPv6
    return parser.networkAddressFromCIDR(range).toNormalizedString()
  } catch {
    return undefined
  }
}

function publicUrl(text: string, production: boolean): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const schemes = production ? ['https:'] : ['https:', 'http:']
  const plain = url !== undefined && url.username + url.password + url.search + url.hash === ''
  if (url !== undefined && plain && schemes.includes(url.protocol))
    return url.origin + url.pathname.replace(/\/+$/, '')
  throw invalid(
    "A public URL is not an address of the bridge's.",
    'Give one like https://bridge.example.com, without user name, query or fragment; in production with https.',
  )
}

function origin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const exact = url !== undefined && url.origin !== 'null' && text.toLowerCase() === url.origin
  if (exact && !text.includes('*')) return url.origin
  throw invalid(
    `${JSON.stringify(text)} is no origin.`,
    'Give scheme, host and, unless usual, port, like https://app.example.com; a star is not understood.',
  )
}

function invalid(message: string, next: string): SetupError {
  return new SetupError('setting_invalid', message, next)
}
