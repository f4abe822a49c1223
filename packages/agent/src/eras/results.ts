import { parseJson, type RawJson, textAt, toJson, valueAt } from '@bridgekeeper/protocol'
import { ENVELOPE_VERSION, SERVER_INFO_KEY, serverInfoIn } from '../servers/envelope.ts'
import { CLIENT_VERSIONS } from '../servers/handshake.ts'
import type { RawOutcome } from '../servers/raw-calls.ts'
import { withMembers, without } from './members.ts'

/** Methods whose results say how long they may be kept (MCP 2026-07-28, caching). */
const CACHEABLE: ReadonlySet<string> = new Set([
  'server/discover',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
])
const COMPLETE = toJson('complete')
/** A server of the 2025 era does not say how long its results are true. */
const NOT_KEPT = { ttlMs: toJson(0), cacheScope: toJson('private') }
const RESOURCE_NOT_FOUND_2025 = -32_002
const INVALID_PARAMS = -32_602

/** Capabilities that exist in both eras under one name with different content. */
const OWN_CAPABILITIES = ['tasks', 'extensions']

/** A result of a 2025 server for a client of the 2026 era. @param introduction the server's result of `initialize` */
export function resultFor2026(method: string, result: RawJson, introduction: RawJson): RawJson {
  const serverInfo = valueAt(introduction, ['serverInfo'])
  const _meta = serverInfo && withMembers(valueAt(result, ['_meta']), { [SERVER_INFO_KEY]: serverInfo })
  return withMembers(result, {
    resultType: COMPLETE,
    ...(CACHEABLE.has(method) && NOT_KEPT),
    ...(_meta !== undefined && { _meta }),
  })
}

/** An error of a 2025 server for a client of the 2026 era, which has no code of its own for unknown resources. */
export function errorFor2026(method: string, rpcError: RawJson): RawJson {
  const error = parseJson(rpcError.toString('utf8'))?.value as { readonly code?: unknown }
  if (method !== 'resources/read' || error.code !== RESOURCE_NOT_FOUND_2025) return rpcError
  return withMembers(rpcError, { code: toJson(INVALID_PARAMS) })
}

/** The result of `server/discover`. @param introduction a server's result of `initialize` */
export function discoveryFrom(introduction: RawJson): RawJson {
  const result = withMembers(undefined, {
    supportedVersions: toJson([ENVELOPE_VERSION]),
    capabilities: capabilitiesIn(introduction),
    instructions: valueAt(introduction, ['instructions']),
  })
  return resultFor2026('server/discover', result, introduction)
}

/** A result of a 2026 server for a client of the 2025 era. */
export function resultFor2025(result: RawJson): RawJson {
  const plain = without(result, ['resultType', 'ttlMs', 'cacheScope'])
  const meta = valueAt(plain, ['_meta'])
  if (meta === undefined) return plain
  const kept = without(meta, [SERVER_INFO_KEY])
  return withMembers(plain, { _meta: kept.length > 2 ? kept : undefined })
}

/** The result of `initialize`. @param discovery a server's result of `server/discover` */
export function introductionFrom(discovery: RawJson, askedVersion: string | undefined): RawJson {
  const [newest] = CLIENT_VERSIONS
  const version = CLIENT_VERSIONS.find((known) => known === askedVersion) ?? newest
  return withMembers(undefined, {
    protocolVersion: toJson(version),
    capabilities: capabilitiesIn(discovery),
    serverInfo: serverInfoIn(discovery) ?? toJson({ name: '', version: '' }),
    instructions: valueAt(discovery, ['instructions']),
  })
}

/** Whether a server declared a capability. @param introduction its result of `initialize` or `server/discover` */
export function hasCapability(introduction: RawJson, ...path: readonly string[]): boolean {
  const value = valueAt(introduction, ['capabilities', ...path])?.toString('latin1')
  return value !== undefined && value !== 'false' && value !== 'null'
}

/** Answers a request that needs a client's input, if its client cannot be asked. */
export const CANNOT_ASK = rpcError(-32_603, 'The server needs an answer of a client that cannot be asked.')

/** Whether a server needs an input of the client (MCP 2026-07-28, multi round-trip requests). */
export function needsInput(result: RawJson): boolean {
  return resultTypeOf(result) === 'input_required'
}

/** The text of the member `resultType`. */
function resultTypeOf(result: RawJson): string | undefined {
  return textAt(result, ['resultType'])
}

export function rpcError(code: number, message: string, data?: object): RawOutcome {
  return { kind: 'rpc-error', message, rpcError: toJson({ code, message, ...(data && { data }) }) }
}

function capabilitiesIn(introduction: RawJson): RawJson {
  return without(valueAt(introduction, ['capabilities']) ?? toJson({}), OWN_CAPABILITIES)
}
