import { downSchemaV1, downSchemaV2 } from './down.ts'
import { upSchemaV1, upSchemaV2 } from './up.ts'

/**
 * The protocol's versions.
 *
 * - v1: challenge echo, tool_execute, tool_result, ping. No subprotocol is offered.
 * - v2: adds the agent's catalog, cancellation, and the reason of a failure.
 */
export type ProtocolVersion = 'v1' | 'v2'

/** The WebSocket subprotocol (RFC 6455 section 1.9) that stands for v2. */
export const SUBPROTOCOL_V2 = 'bridgekeeper.v2'

export const schemas = {
  v1: { up: upSchemaV1, down: downSchemaV1 },
  v2: { up: upSchemaV2, down: downSchemaV2 },
} as const

/**
 * SHA-256 of each version's canonical JSON Schema. A released version's hash never changes: a
 * message that must change shape goes into a new version.
 */
export const schemaHashes = {
  v1: 'fbcd932c79b653a6227426fce040124774e086e901f9f7e6cdd26e40847c9262',
  v2: '4ed74b6e31afdd368a8322df93b7d5487aeb0abcebce746e1c72577ab4643c00',
} as const satisfies Record<ProtocolVersion, string>
