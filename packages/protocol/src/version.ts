import { downSchemaV1, downSchemaV2 } from './down.ts'
import { upSchemaV1, upSchemaV2 } from './up.ts'

/**
 * The protocol's versions.
 *
 * - v1: challenge echo, tool_execute, tool_result, ping. No subprotocol is offered.
 * - v2: adds the agent's catalog, exchanges, cancellation, the reason of a failure, and the proof of a device's key.
 */
export type ProtocolVersion = 'v1' | 'v2'

/** The WebSocket subprotocol (RFC 6455 section 1.9) that stands for v2. */
export const SUBPROTOCOL_V2 = 'bridgekeeper.v2'

export const schemas = {
  v1: { up: upSchemaV1, down: downSchemaV1 },
  v2: { up: upSchemaV2, down: downSchemaV2 },
} as const

/**
 * SHA-256 of each version's canonical JSON Schema. A released version's hash never changes: a message that
 * must change shape goes into a new version. v2 is not yet released, so its hash has changed: 11eab599 lacked
 * proofs and `reauthenticate`, 1a4ed282 catalogs in parts, 37b9962d exchanges, b92334be payloads in chunks, b591d4a0
 * updates of catalogs, ba98a578 `revoke`, ce4e7d6f `end_session`, aa51bae5
 * traits of sampling.
 */
export const schemaHashes = {
  v1: '34a0f440bf3b9bbb68208ab3bc52e961e918c785c7cb126a351b964bf54296db',
  v2: '0959cc37ed72c989c8e6ac2e5580923efa0238e167a90209780bccc3137b6fd0',
} as const satisfies Record<ProtocolVersion, string>
