import { parseJson, type RawJson } from '@bridgekeeper/protocol'

/** A request that a stream answers. */
export interface StreamRequest {
  /** The caller's JSON-RPC id. */
  readonly id: RawJson
  /** Whether it is `tools/call`. */
  readonly isCall: boolean
}

/** Position from which a caller reads a stream on. */
export interface EventPosition {
  /** The exchange that the stream belongs to. */
  readonly id: string
  /** Number of the last message that the caller has. */
  readonly after: number
  /** `undefined` if the id does not name it. */
  readonly request: StreamRequest | undefined
  /** Whether the stream belongs to no request. */
  readonly isStanding: boolean
}

/** Longest JSON-RPC id that an event id carries. */
const MAX_ID_BYTES = 96
const EVENT_ID = /^([\w-]{1,128}?)_(\d{1,15})(?:(_all)|\.([cr])([\w-]{1,128}))?$/

/**
 * [STREAM.10] The id of an event: its exchange, its number, and the request that the stream answers. So a request can
 * be answered although bridge and agent were both restarted.
 */
export function eventIdOf(exchangeId: string, number: number, request?: StreamRequest): string {
  const position = `${exchangeId}_${number}`
  if (request === undefined || request.id.length > MAX_ID_BYTES) return position
  return `${position}.${request.isCall ? 'c' : 'r'}${request.id.toString('base64url')}`
}

/** The id of an event that belongs to no request. */
export function standingEventIdOf({ id, after }: Pick<EventPosition, 'id' | 'after'>): string {
  return `${id}_${after}_all`
}

/** Reads a `Last-Event-ID`. @returns `undefined` if it is invalid */
export function readEventId(text: string): EventPosition | undefined {
  const [, id, number, all, kind, encoded] = EVENT_ID.exec(text) ?? []
  if (id === undefined) return undefined
  const position = { id, after: Number(number), isStanding: all !== undefined }
  if (encoded === undefined) return { ...position, request: undefined }
  const requestId = Buffer.from(encoded, 'base64url')
  if (!isRequestId(requestId)) return undefined
  return { ...position, request: { id: requestId, isCall: kind === 'c' } }
}

/** The caller may have changed it, and gets it back in a line of its own. */
function isRequestId(json: RawJson): boolean {
  const text = json.toString('utf8')
  const value = parseJson(text)?.value
  return (typeof value === 'string' || typeof value === 'number') && text.trim() === text
}
