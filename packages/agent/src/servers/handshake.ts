import {
  type ClientTrait,
  type Era,
  isObject,
  parseJson,
  type RawJson,
  textAt,
  toJson,
} from '@bridgekeeper/protocol'
import { CLIENT_INFO, ENVELOPE_VERSION, withEnvelope } from './envelope.ts'
import { type Introduction, readDiscovery, readIntroduction } from './introduction.ts'
import { parseResult, type RawOutcome } from './raw-calls.ts'
import type { StdioTransport } from './stdio-transport.ts'

/** Supported revisions of MCP with a handshake, newest first. */
export const PROTOCOL_VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const
/** Versions that a client may ask for, newest first. The official servers also speak one from before the first release. */
export const CLIENT_VERSIONS: readonly string[] = [...PROTOCOL_VERSIONS, '2024-10-07']
export type ServerProtocolVersion = (typeof PROTOCOL_VERSIONS)[number]
/** For servers that refuse newer ones. */
export const OLDEST_VERSION: ServerProtocolVersion = '2024-11-05'

/** How to approach a server. */
export interface Opening {
  /** Eras to try. With both, the 2026 era comes second, and only after a refusal that suggests it. */
  readonly eras: readonly Era[]
  /** Version that `initialize` offers. */
  readonly version: ServerProtocolVersion
  /** Capabilities that `initialize` declares. */
  readonly traits: readonly ClientTrait[]
}

export type Handshake =
  | {
      readonly ok: true
      readonly era: Era
      /** Revision that the server speaks. */
      readonly version: string
      readonly introduction: Introduction
      /** Its result of `initialize` or `server/discover`. */
      readonly raw: RawJson
    }
  /** `answered` tells a refusal from a hangup or silence. */
  | { readonly ok: false; readonly reason: string; readonly answered: boolean }

/** JSON-RPC codes with which a server that knows no `initialize` refuses it: unsupported version, unknown method. */
const SUGGEST_2026: readonly unknown[] = [-32_022, -32_601]
/** Matches the text of a refusal by a server that misses the envelope of the 2026 era, or names its first request. */
const MISSES_ENVELOPE = /\b_meta\b|io\.modelcontextprotocol\/|server\/discover/

/** Capabilities of a client (MCP 2025-11-25, lifecycle) by trait. */
const CAPABILITIES: Readonly<Record<ClientTrait, readonly [name: string, value: object]>> = {
  sampling: ['sampling', {}],
  'sampling-tools': ['sampling', { tools: {} }],
  'sampling-context': ['sampling', { context: {} }],
  'elicitation-form': ['elicitation', { form: {} }],
  'elicitation-url': ['elicitation', { url: {} }],
  roots: ['roots', { listChanged: false }],
  tasks: ['tasks', { list: {}, cancel: {} }],
}

/**
 * Begins to speak with a server. If it refuses the version of `initialize`, tries once more with the newest
 * version that it names, or with the oldest supported one.
 */
export async function shakeHands(transport: StdioTransport, opening: Opening): Promise<Handshake> {
  if (!opening.eras.includes('2025')) return discover(transport)
  const first = await initialize(transport, opening, opening.version)
  if (first.kind !== 'rpc-error') return initialized(transport, first, opening.version)
  const { named, suggests2026 } = readRefusal(first.rpcError, opening.version)
  if (suggests2026 && opening.eras.includes('2026')) {
    const discovery = await discover(transport)
    if (discovery.ok) return discovery
  }
  const older = named ?? (opening.version === OLDEST_VERSION ? undefined : OLDEST_VERSION)
  if (older === undefined) return initialized(transport, first, opening.version)
  const second = await initialize(transport, opening, older)
  return initialized(transport, second.kind === 'result' ? second : first, older)
}

function initialize(
  transport: StdioTransport,
  { traits }: Opening,
  protocolVersion: string,
): Promise<RawOutcome> {
  const params = { protocolVersion, capabilities: capabilitiesOf(traits), clientInfo: CLIENT_INFO }
  return transport.call('initialize', toJson(params), new AbortController().signal)
}

/** Capabilities of a client with these traits (MCP 2025-11-25, lifecycle). */
export function capabilitiesOf(traits: readonly ClientTrait[]): Record<string, object> {
  const capabilities: Record<string, object> = {}
  for (const trait of traits) {
    const [name, value] = CAPABILITIES[trait]
    capabilities[name] = { ...capabilities[name], ...value }
  }
  if (!traits.includes('tasks')) return capabilities
  const requests = {
    ...(traits.includes('sampling') && { sampling: { createMessage: {} } }),
    ...('elicitation' in capabilities && { elicitation: { create: {} } }),
  }
  return { ...capabilities, tasks: { ...capabilities.tasks, requests } }
}

function initialized(transport: StdioTransport, outcome: RawOutcome, offered: string): Handshake {
  if (outcome.kind !== 'result') return refusal(outcome, 'initialize')
  transport.notify('notifications/initialized')
  return {
    ok: true,
    era: '2025',
    version: textAt(outcome.result, ['protocolVersion']) ?? offered,
    introduction: readIntroduction(outcome.result),
    raw: outcome.result,
  }
}

/** Speaks with a server of the 2026 era (MCP 2026-07-28, discovery). */
async function discover(transport: StdioTransport): Promise<Handshake> {
  const outcome = await transport.call('server/discover', withEnvelope({}), new AbortController().signal)
  if (outcome.kind !== 'result') return refusal(outcome, 'server/discover')
  const result = parseResult(outcome.result)
  const versions: readonly unknown[] = Array.isArray(result?.supportedVersions)
    ? result.supportedVersions
    : []
  if (!versions.includes(ENVELOPE_VERSION))
    return { ok: false, answered: true, reason: `it does not speak revision ${ENVELOPE_VERSION} of MCP` }
  const introduction = readDiscovery(outcome.result)
  return { ok: true, era: '2026', version: ENVELOPE_VERSION, introduction, raw: outcome.result }
}

function refusal(outcome: RawOutcome, method: string): Handshake {
  switch (outcome.kind) {
    case 'rpc-error':
      return { ok: false, answered: true, reason: `it refused to be initialized: ${outcome.message}` }
    case 'invalid':
      return { ok: false, answered: true, reason: `it refused to be initialized: ${outcome.detail}` }
    default:
      return { ok: false, answered: false, reason: `it did not answer ${method}` }
  }
}

/**
 * Reads a refusal of `initialize` (MCP 2025-11-25, lifecycle, error handling).
 *
 * @returns the newest other version that it names, and whether the server may be of the 2026 era
 */
function readRefusal(
  rpcError: RawJson,
  refused: ServerProtocolVersion,
): { readonly named: ServerProtocolVersion | undefined; readonly suggests2026: boolean } {
  // Many servers name versions in the message only.
  const text = rpcError.toString('utf8')
  const error = parseJson(text)?.value
  const code = isObject(error) ? error.code : undefined
  const named = PROTOCOL_VERSIONS.find((version) => version !== refused && text.includes(version))
  const isHint = text.includes(ENVELOPE_VERSION) || SUGGEST_2026.includes(code) || MISSES_ENVELOPE.test(text)
  return { named, suggests2026: named === undefined && isHint }
}
