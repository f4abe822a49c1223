import { BridgeError, type Era, type RawJson, type Span, stringAt, toJson } from '@bridgekeeper/protocol'
import { SERVER_INFO_META_KEY, SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/server'
import { readParams } from './message.ts'
import { MODERN_VERSION } from './revision.ts'
import type { ToolView } from './tool-view.ts'

const CAPABILITIES = { tools: {} }

/** Introduction of the bridge itself, at `/mcp`. */
export interface OwnIntroduction {
  readonly capabilities: object
  readonly instructions: string
}

/** Builds the result with which a client gets to know a server. */
export function introductionResult(
  era: Era,
  body: Buffer,
  params: Span | undefined,
  view: ToolView,
  own: OwnIntroduction,
): RawJson | BridgeError {
  return era === '2025' ? initializeResult(body, params, view, own) : discoverResult(view, own)
}

/** Builds the result of `initialize`. It depends only on the client's version, not on its other claims. */
export function initializeResult(
  body: Buffer,
  params: Span | undefined,
  view: ToolView,
  own?: OwnIntroduction,
): RawJson | BridgeError {
  const members = readParams(body, params, ['protocolVersion'])
  if (members instanceof BridgeError) return members
  const asked = stringAt(body, members[0]) ?? ''
  const [newest] = SUPPORTED_PROTOCOL_VERSIONS
  const protocolVersion = SUPPORTED_PROTOCOL_VERSIONS.includes(asked) ? asked : newest
  const { serverInfo, instructions, capabilities = CAPABILITIES } = view.serverIdentity()
  return toJson({ protocolVersion, capabilities, serverInfo, instructions, ...own })
}

/** The result of `server/discover`. */
export function discoverResult(view: ToolView, own?: OwnIntroduction): RawJson {
  const { instructions } = view.serverIdentity()
  const result = { supportedVersions: [MODERN_VERSION], capabilities: CAPABILITIES, instructions }
  return toJson({ ...result, ...own, ...modernMembers(view) })
}

/** Members of a list's result besides its tools, as the end of its JSON text. */
export function listMembers(era: Era, view: ToolView): string {
  return era === '2025' ? '}' : `,${JSON.stringify(modernMembers(view)).slice(1)}`
}

function modernMembers(view: ToolView) {
  const _meta = { [SERVER_INFO_META_KEY]: view.serverIdentity().serverInfo }
  return { resultType: 'complete', ttlMs: 0, cacheScope: 'private', _meta }
}
