import { decodeUp, encode, isObject, parseJson, toJson } from '@bridgekeeper/protocol'
import { parseResult, type RawOutcome } from './raw-calls.ts'
import type { StdioTransport } from './stdio-transport.ts'

/**
 * Supported revisions of MCP for local servers, newest first. The bridge uses only what they have in common.
 */
export const PROTOCOL_VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const
export type ServerProtocolVersion = (typeof PROTOCOL_VERSIONS)[number]
/** For servers that refuse newer ones. */
export const OLDEST_VERSION: ServerProtocolVersion = '2024-11-05'

/** A server's introduction. */
export interface Introduction {
  readonly serverInfo: { readonly name: string; readonly version: string }
  readonly instructions?: string
  readonly hasTools: boolean
}

export type Handshake =
  | { readonly ok: true; readonly introduction: Introduction }
  /** `answered` tells a refusal from a hangup or silence. */
  | { readonly ok: false; readonly reason: string; readonly answered: boolean }

const CLIENT_INFO = { name: 'bridgekeeper', version: '0.1.0' }

/**
 * Initializes a server. If it refuses the version, tries once more with the newest version that it names, or
 * with the oldest supported one.
 */
export async function shakeHands(
  transport: StdioTransport,
  version: ServerProtocolVersion,
): Promise<Handshake> {
  const first = await initialize(transport, version)
  if (first.kind !== 'rpc-error') return concluded(transport, first)
  const older = olderVersion(first.rpcError, version)
  if (older === undefined) return concluded(transport, first)
  const second = await initialize(transport, older)
  return concluded(transport, second.kind === 'result' ? second : first)
}

function initialize(transport: StdioTransport, protocolVersion: string): Promise<RawOutcome> {
  const params = { protocolVersion, capabilities: {}, clientInfo: CLIENT_INFO }
  return transport.call('initialize', toJson(params), new AbortController().signal)
}

function concluded(transport: StdioTransport, outcome: RawOutcome): Handshake {
  if (outcome.kind !== 'result') return refusal(outcome)
  const result = parseResult(outcome.result)
  if (result === undefined)
    return { ok: false, answered: true, reason: 'its answer to initialize cannot be read' }
  transport.notify('notifications/initialized')
  return { ok: true, introduction: introduction(result) }
}

function refusal(outcome: RawOutcome): Handshake {
  switch (outcome.kind) {
    case 'rpc-error':
      return {
        ok: false,
        answered: true,
        reason: `it refused to be initialized: ${outcome.message}`,
      }
    case 'invalid':
      return { ok: false, answered: true, reason: `it refused to be initialized: ${outcome.detail}` }
    default:
      return { ok: false, answered: false, reason: 'it did not answer initialize' }
  }
}

function introduction(result: Record<string, unknown>): Introduction {
  const { serverInfo, instructions, capabilities } = result
  return {
    serverInfo: serverInfoOf(isObject(serverInfo) ? serverInfo : {}),
    ...(typeof instructions === 'string' && { instructions }),
    hasTools: isObject(capabilities) && isObject(capabilities.tools),
  }
}

/** Reads the server's info and instructions, if the bridge's reader accepts them. */
function serverInfoOf(info: Record<string, unknown>): Introduction['serverInfo'] {
  const plain = { name: textOf(info.name), version: textOf(info.version) }
  const whole = { ...info, ...plain }
  const server = { state: 'ready' as const, name: 'any', serverInfo: whole, tools: [] }
  return decodeUp(encode({ type: 'catalog', servers: [server] }), 'v2').ok ? whole : plain
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** Reads the supported versions from a refusal (MCP 2025-11-25, lifecycle, error handling). */
function olderVersion(rpcError: Buffer, refused: ServerProtocolVersion): ServerProtocolVersion | undefined {
  const error = parseJson(rpcError.toString('utf8'))?.value
  const data = isObject(error) && isObject(error.data) ? error.data : {}
  const supported: readonly unknown[] = Array.isArray(data.supported) ? data.supported : []
  const named = PROTOCOL_VERSIONS.find((version) => version !== refused && supported.includes(version))
  return named ?? (refused === OLDEST_VERSION ? undefined : OLDEST_VERSION)
}
