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
  v1: '854de6be614d44a06cfa18bae1f587357ec671f7960fdd6b83a912be3afb2be1',
  v2: '30c1950a9f51e2ab6e317170d4c027245bf289d908b818b0e746b7349d864fac',
} as const satisfies Record<ProtocolVersion, string>
