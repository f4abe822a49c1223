import { decodeUp, encode, isObject } from '@bridgekeeper/protocol'
import { SERVER_INFO_KEY } from './envelope.ts'

/** A server's introduction, as far as the catalog shows it. */
export interface Introduction {
  readonly serverInfo: { readonly name: string; readonly version: string }
  readonly instructions?: string
  readonly hasTools: boolean
  /** Its capabilities as it declared them. */
  readonly capabilities: Readonly<Record<string, unknown>>
}

/** Reads a result of `initialize` (MCP 2025-11-25, lifecycle). */
export function readIntroduction(result: Record<string, unknown>): Introduction {
  const { serverInfo, instructions, capabilities } = result
  const declared = isObject(capabilities) ? capabilities : {}
  const hasTools = isObject(declared.tools)
  return {
    serverInfo: serverInfoOf(isObject(serverInfo) ? serverInfo : {}),
    ...(typeof instructions === 'string' && { instructions }),
    hasTools,
    capabilities: isReadable({ capabilities: declared }) ? declared : { ...(hasTools && { tools: {} }) },
  }
}

/** Reads a result of `server/discover` (MCP 2026-07-28, discovery), where the server's info is in `_meta`. */
export function readDiscovery(result: Record<string, unknown>): Introduction {
  const meta = isObject(result._meta) ? result._meta : {}
  return readIntroduction({ ...result, serverInfo: meta[SERVER_INFO_KEY] })
}

function serverInfoOf(info: Record<string, unknown>): Introduction['serverInfo'] {
  const plain = { name: textOf(info.name), version: textOf(info.version) }
  const whole = { ...info, ...plain }
  return isReadable({ serverInfo: whole }) ? whole : plain
}

/** Whether the bridge's reader accepts these members of a catalog entry. */
function isReadable(members: object): boolean {
  const server = {
    state: 'ready' as const,
    name: 'any',
    serverInfo: { name: '', version: '' },
    tools: [],
    ...members,
  }
  return decodeUp(encode({ type: 'catalog', servers: [server] }), 'v2').ok
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
