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
