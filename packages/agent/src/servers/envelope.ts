import { CLOSE_BRACE, type RawJson, skipSpace, toJson, valueAt, withoutMembers } from '@bridgekeeper/protocol'

/** The revision of the 2026 era that the agent speaks. */
export const ENVELOPE_VERSION = '2026-07-28'
export const CLIENT_INFO = { name: 'bridgekeeper', version: '0.1.0' }
export const SERVER_INFO_KEY = 'io.modelcontextprotocol/serverInfo'

/** Keys of `_meta` by which a client introduces itself (MCP 2026-07-28, basic). */
export const ENVELOPE_KEYS = {
  version: 'io.modelcontextprotocol/protocolVersion',
  client: 'io.modelcontextprotocol/clientInfo',
  capabilities: 'io.modelcontextprotocol/clientCapabilities',
  logLevel: 'io.modelcontextprotocol/logLevel',
} as const

/** Members of `_meta` by which a client of the 2026 era introduces itself in each request. */
const ENVELOPE = {
  [ENVELOPE_KEYS.version]: ENVELOPE_VERSION,
  [ENVELOPE_KEYS.client]: CLIENT_INFO,
  [ENVELOPE_KEYS.capabilities]: {},
}
const ENVELOPE_MEMBERS = toJson(ENVELOPE).subarray(1, -1)
const OPEN = Buffer.from('{')
const COMMA = Buffer.from(',')
const CLOSE = Buffer.from('}')

/**
 * `_meta` of a request that the agent itself sends to a server of the 2026 era. It declares no capabilities.
 *
 * @param rawMeta further members: one JSON object
 */
export function envelopeMeta(rawMeta?: RawJson): RawJson {
  const others = rawMeta && withoutMembers(rawMeta, Object.keys(ENVELOPE))
  const isEmpty = others === undefined || others[skipSpace(others, 1)] === CLOSE_BRACE
  const rest = isEmpty ? CLOSE : Buffer.concat([COMMA, others.subarray(1)])
  return Buffer.concat([OPEN, ENVELOPE_MEMBERS, rest])
}

/** Parameters of a request that the agent itself sends to a server of the 2026 era. */
export function withEnvelope(params: object): RawJson {
  return toJson({ ...params, _meta: ENVELOPE })
}

/** Finds the server's info in its result of `server/discover`: in `_meta`, or beside it, as in drafts of the revision. */
export function serverInfoIn(discovery: RawJson): RawJson | undefined {
  return valueAt(discovery, ['_meta', SERVER_INFO_KEY]) ?? valueAt(discovery, ['serverInfo'])
}
