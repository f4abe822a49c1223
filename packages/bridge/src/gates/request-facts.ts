import ipaddr from 'ipaddr.js'
import { memoize } from '../memoize.ts'

/** The parts of an HTTP request that gates read: each header with all its occurrences, uninterpreted. */
export interface RequestFacts {
  readonly method: string
  /** Path and query, as received. */
  readonly url: string
  /** The other end of the TCP connection; `''` if it is already gone. */
  readonly remoteAddress: string
  /** Whether TLS ends here. */
  readonly encrypted: boolean
  readonly authorization: readonly string[]
  readonly cookie: readonly string[]
  readonly origin: readonly string[]
  readonly host: readonly string[]
  readonly forwardedFor: readonly string[]
  readonly forwardedProto: readonly string[]
  readonly userAgent: readonly string[]
  readonly dpop: readonly string[]
}

/** The part of Node's `IncomingMessage` that this file reads. */
export interface FactsSource {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly rawHeaders: readonly string[]
  readonly socket: { readonly remoteAddress?: string | undefined; readonly encrypted?: boolean }
}

const NONE: readonly string[] = []

const MEMBER_OF_HEADER: ReadonlyMap<string, HeaderMember> = new Map([
  ['authorization', 'authorization'],
  ['cookie', 'cookie'],
  ['origin', 'origin'],
  ['host', 'host'],
  ['x-forwarded-for', 'forwardedFor'],
  ['x-forwarded-proto', 'forwardedProto'],
  ['user-agent', 'userAgent'],
  ['dpop', 'dpop'],
])

/** Lengths of the header names above; rules out most headers without a lookup. */
const IS_LENGTH = Array.from({ length: 32 }, (_, chars) =>
  [...MEMBER_OF_HEADER.keys()].some((name) => name.length === chars),
)

type HeaderMember = Exclude<keyof RequestFacts, 'method' | 'url' | 'remoteAddress' | 'encrypted'>

/**
 * Reads the raw headers once. Node's `headers` drops repeated ones, and `headersDistinct` rebuilds them for
 * each request.
 */
export function requestFacts({ method, url, rawHeaders, socket }: FactsSource): RequestFacts {
  const facts: { -readonly [M in keyof RequestFacts]: RequestFacts[M] } = {
    method: method ?? '',
    url: url ?? '',
    remoteAddress: socket.remoteAddress ?? '',
    encrypted: socket.encrypted === true,
    authorization: NONE,
    cookie: NONE,
    origin: NONE,
    host: NONE,
    forwardedFor: NONE,
    forwardedProto: NONE,
    userAgent: NONE,
    dpop: NONE,
  }
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string
    const member = IS_LENGTH[name.length] === true ? MEMBER_OF_HEADER.get(name.toLowerCase()) : undefined
    if (member === undefined) continue
    const value = rawHeaders[at + 1] as string
    facts[member] = facts[member] === NONE ? [value] : [...facts[member], value]
  }
  return facts
}

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Range = readonly [Address, number]

/** The client behind a request. */
export interface ClientAddress {
  /** The address as text, for the log and for people. */
  readonly ip: string
  /** Key of limits. IPv6 counts by /64, since one customer usually has a whole /64. */
  readonly key: string
  /** A trusted proxy that does not name its client; it is never blocked. */
  readonly isProxy: boolean
}

/** Limit of hops to read from `X-Forwarded-For`. A longer chain is an attack. */
const MAX_HOPS = 32
const PORT = /^(?:(\d+\.\d+\.\d+\.\d+):\d{1,5}|\[([0-9a-fA-F:.]+)\](?::\d{1,5})?)$/
const RANGE = /^([^/]*)\/(\d{1,3})$/
const NETWORK_BITS = 64

/** The proxies whose `X-Forwarded-*` headers count. */
export class TrustedProxies {
  readonly has: (ip: string) => boolean
  readonly #any: boolean

  /**
   * @param ranges addresses, or ranges such as `10.0.0.0/8`; a client inside one can claim any address
   * @throws TypeError if one is neither
   */
  constructor(ranges: readonly string[]) {
    const trusted = ranges.map(parseRange)
    this.#any = trusted.length > 0
    this.has = memoize((ip) => {
      const address = parse(ip)
      return address !== undefined && trusted.some((range) => isIn(address, range))
    })
  }

  /**
   * Finds the client of a request: the peer of the socket or, behind a trusted proxy, the last address of
   * `X-Forwarded-For` that is not a trusted proxy. The client may have forged every address before it. If all
   * are trusted, the client is in a trusted range, and the outermost address is its own.
   */
  clientAddress({
    remoteAddress,
    forwardedFor,
  }: Pick<RequestFacts, 'remoteAddress' | 'forwardedFor'>): ClientAddress {
    const isProxy = this.#any && this.has(remoteAddress)
    return isProxy ? this.#behind(remoteAddress, forwardedFor) : describe(remoteAddress)
  }

  #behind(proxy: string, forwardedFor: readonly string[]): ClientAddress {
    const hops = forwardedFor.join(',').split(',').slice(-MAX_HOPS)
    let nearest = proxy
    for (const hop of hops.reverse()) {
      const ip = withoutPort(hop.trim())
      if (parse(ip) === undefined) return { ...describe(nearest), isProxy: true }
      if (!this.has(ip)) return describe(ip)
      nearest = ip
    }
    return describe(nearest)
  }
}

/** Whether this address is the machine itself. Uses the socket's address, never text of the request. */
export const isLoopback = memoize((ip) => parse(ip)?.range() === 'loopback')

/** The key under which limits count this address; `undefined` if it is not an address. */
export function addressKey(ip: string): string | undefined {
  return parse(ip) === undefined ? undefined : describe(ip).key
}

const describe = memoize((ip): ClientAddress => {
  const address = parse(ip)
  if (address === undefined) return { ip: 'unknown', key: 'unknown', isProxy: false }
  const text = address.toString()
  return { ip: text, key: address instanceof ipaddr.IPv6 ? networkOf(address) : text, isProxy: false }
})

function networkOf(address: ipaddr.IPv6): string {
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${address.toString()}/${NETWORK_BITS}`).toString()}/${NETWORK_BITS}`
}

/** Reads an IPv4-mapped IPv6 address as IPv4, and drops a zone (`%eth0`). */
const parse = memoize((ip): Address | undefined => {
  const bare = ip.split('%')[0] as string
  const isPlain = ipaddr.IPv4.isValidFourPartDecimal(bare) || ipaddr.IPv6.isValid(bare)
  return isPlain ? ipaddr.process(bare) : undefined
})

function withoutPort(hop: string): string {
  const [, ipv4, ipv6] = PORT.exec(hop) ?? []
  return ipv4 ?? ipv6 ?? hop
}

function parseRange(text: string): Range {
  const [, start = text, bits] = RANGE.exec(text) ?? []
  const ip = start.includes('%') ? undefined : parse(start)
  const mostBits = ip instanceof ipaddr.IPv4 ? 32 : 128
  if (ip !== undefined && Number(bits ?? 0) <= mostBits) return [ip, Number(bits ?? mostBits)]
  throw new TypeError(
    `A trusted proxy must be an IP address or a range like 10.0.0.0/8, got ${JSON.stringify(text)}.`,
  )
}

function isIn(address: Address, [network, bits]: Range): boolean {
  return address.kind() === network.kind() && address.match(network, bits)
}
