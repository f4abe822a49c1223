import type { IncomingHttpHeaders } from 'node:http'
import { arrayItems, BridgeError, isJson, OPEN_BRACKET, type Span, skipSpace } from '@bridgekeeper/protocol'

/** Messages of one JSON-RPC batch. */
export const MAX_BATCH = 32

/** The revision with batches, and earlier ones. A request without the header counts as one of it. */
const VERSIONS_WITH_BATCHES: readonly unknown[] = [undefined, '2025-03-26', '2024-11-05', '2024-10-07']

/** Whether the text begins as a batch. */
export function isBatch(body: Buffer): boolean {
  return body[skipSpace(body, 0)] === OPEN_BRACKET
}

/** Finds the messages of a batch. @returns why it is refused as a whole; `undefined` if it is not JSON */
export function readBatch(
  headers: IncomingHttpHeaders,
  body: Buffer,
): readonly Span[] | BridgeError | undefined {
  if (!isJson(body)) return undefined
  const version = headers['mcp-protocol-version']
  if (!VERSIONS_WITH_BATCHES.includes(version))
    return new BridgeError('request_invalid', `Revision ${version} has no batches.`)
  const items = arrayItems(body, MAX_BATCH)
  if (items === undefined) return new BridgeError('batch_too_large')
  return items.length > 0 ? items : new BridgeError('request_invalid', 'The batch is empty.')
}
