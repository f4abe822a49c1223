import {
  decodeUp,
  encodeCatalog,
  type JsonText,
  OPEN_BRACE,
  type RawJson,
  type ReadyServer,
  textAt,
  toJson,
  valueAt,
} from '@bridgekeeper/protocol'
import { withMembers } from '../eras/members.ts'
import { serverInfoIn } from './envelope.ts'

/** A server's introduction, as far as the catalog shows it. */
export interface Introduction {
  readonly serverInfo: JsonText
  readonly instructions?: string
  readonly hasTools: boolean
  /** Its capabilities as it declared them. */
  readonly capabilities: JsonText
}

/** Reads a result of `initialize` (MCP 2025-11-25, lifecycle). */
export function readIntroduction(result: RawJson): Introduction {
  return introductionOf(result, valueAt(result, ['serverInfo']))
}

/** Reads a result of `server/discover` (MCP 2026-07-28, discovery). */
export function readDiscovery(result: RawJson): Introduction {
  return introductionOf(result, serverInfoIn(result))
}

function introductionOf(result: RawJson, info: RawJson | undefined): Introduction {
  const instructions = textAt(result, ['instructions'])
  const declared = valueAt(result, ['capabilities'])
  const hasTools = valueAt(declared, ['tools'])?.[0] === OPEN_BRACE
  const capabilities = declared?.[0] === OPEN_BRACE ? declared.toString('utf8') : '{}'
  return {
    serverInfo: serverInfoOf(info),
    ...(instructions !== undefined && { instructions }),
    hasTools,
    capabilities: isReadable({ capabilities }) ? capabilities : hasTools ? '{"tools":{}}' : '{}',
  }
}

/** The info as the server wrote it, if it has a name and a version. */
function serverInfoOf(info: RawJson | undefined): JsonText {
  const name = textAt(info, ['name'])
  const version = textAt(info, ['version'])
  const named = { name: toJson(name ?? ''), version: toJson(version ?? '') }
  const isWhole = name !== undefined && version !== undefined
  const serverInfo = String(isWhole ? info : withMembers(info, named))
  return isReadable({ serverInfo }) ? serverInfo : String(withMembers(undefined, named))
}

/** Whether the bridge's reader accepts these members of a catalog entry. */
function isReadable(members: Partial<ReadyServer>): boolean {
  const server = { state: 'ready', name: 'any', serverInfo: '{"name":"","version":""}', tools: [] } as const
  return decodeUp(encodeCatalog({ type: 'catalog', servers: [{ ...server, ...members }] }), 'v2').ok
}
