/**
 * Request headers that pages may send besides those that browsers always allow. MCP's own headers are added
 * on request. Tracing libraries add `traceparent`, `tracestate` and `baggage` to every request of a page.
 */
const REQUEST_HEADERS = [
  'accept',
  'authorization',
  'baggage',
  'content-type',
  'dpop',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'traceparent',
  'tracestate',
]
const MCP_HEADER = /^mcp-[a-z0-9-]{1,64}$/
const MAX_MCP_HEADERS = 32
const METHODS = 'GET, POST, DELETE'
const EXPOSED = 'WWW-Authenticate, Mcp-Session-Id, Mcp-Protocol-Version, Retry-After'
/** Chromium caches a preflight for two hours at most. */
const PREFLIGHT_SECONDS = '7200'

/** The part of Node's `IncomingMessage` that this file reads. */
interface Asked {
  readonly method?: string | undefined
  readonly headers: {
    readonly origin?: string | undefined
    readonly 'access-control-request-method'?: string | undefined
    readonly 'access-control-request-headers'?: string | undefined
  }
}

/** The part of Node's `ServerResponse` that this file uses. */
interface Answer {
  setHeader(name: string, value: string): unknown
  writeHead(status: number, headers: Record<string, string>): unknown
  end(): unknown
}

/**
 * [ORIGIN.6] Lets pages of listed origins read the answer, also a refusal. Does not admit requests: the gates
 * check each like any other. Allows no credentials, since cookies never work for another origin.
 *
 * @param origins as browsers spell them, or `'*'` for public answers
 * @returns whether the request was a preflight, and is answered
 */
export function letPagesRead(
  { method, headers }: Asked,
  response: Answer,
  origins: ReadonlySet<string> | '*',
): boolean {
  const { origin } = headers
  if (origin === undefined) return false
  if (origins === '*') response.setHeader('access-control-allow-origin', '*')
  else if (origins.has(origin)) response.setHeader('access-control-allow-origin', origin)
  else return false
  response.setHeader('vary', 'Origin')
  response.setHeader('access-control-expose-headers', EXPOSED)
  if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) return false
  response.writeHead(204, {
    'access-control-allow-methods': METHODS,
    'access-control-allow-headers': allowedHeaders(headers['access-control-request-headers']),
    'access-control-max-age': PREFLIGHT_SECONDS,
  })
  response.end()
  return true
}

function allowedHeaders(asked = ''): string {
  const names = asked.toLowerCase().split(',', REQUEST_HEADERS.length + MAX_MCP_HEADERS)
  const own = names.map((name) => name.trim()).filter((name) => MCP_HEADER.test(name))
  return [...new Set([...REQUEST_HEADERS, ...own])].join(', ')
}
