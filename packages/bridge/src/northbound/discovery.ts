import {
  BridgeError,
  type Era,
  type JsonText,
  type RawJson,
  type Span,
  stringAt,
} from '@bridgekeeper/protocol'
import { SERVER_INFO_META_KEY, SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/server'
import { readParams } from './message.ts'
import { MODERN_VERSION } from './revision.ts'
import type { ToolView } from './tool-view.ts'

const CAPABILITIES: JsonText = '{"tools":{}}'

/** Introduction of the bridge itself, at `/mcp`. */
export interface OwnIntroduction {
  readonly capabilities: JsonText
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
  const { serverInfo } = view.serverIdentity()
  return Buffer.from(
    objectText({ protocolVersion: JSON.stringify(protocolVersion), serverInfo, ...offerOf(view, own) }),
  )
}

/** The result of `server/discover`. */
export function discoverResult(view: ToolView, own?: OwnIntroduction): RawJson {
  const supportedVersions = JSON.stringify([MODERN_VERSION])
  return Buffer.from(objectText({ supportedVersions, ...offerOf(view, own), ...modernMembers(view) }))
}

/** Members of a list's result besides its tools, as the end of its JSON text. */
export function listMembers(era: Era, view: ToolView): string {
  return era === '2025' ? '}' : `,${objectText(modernMembers(view)).slice(1)}`
}

/** Members that tell what a server offers. */
function offerOf(view: ToolView, own: OwnIntroduction | undefined): Members {
  const { capabilities = CAPABILITIES, instructions } = own ?? view.serverIdentity()
  return { capabilities, instructions: instructions && JSON.stringify(instructions) }
}

function modernMembers(view: ToolView): Members {
  const _meta = objectText({ [SERVER_INFO_META_KEY]: view.serverIdentity().serverInfo })
  return { resultType: '"complete"', ttlMs: '0', cacheScope: '"private"', _meta }
}

/** Members of an object; those that are `undefined` are left out. */
type Members = Readonly<Record<string, JsonText | undefined>>

function objectText(members: Members): JsonText {
  const written = Object.entries(members).filter(([, value]) => value !== undefined)
  return `{${written.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join()}}`
}
