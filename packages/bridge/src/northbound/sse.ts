import { type Payload, payloadBytes } from '@bridgekeeper/protocol'

/** How events are written (WHATWG HTML, "server-sent events"). */

/** `X-Accel-Buffering` makes nginx and its kind pass each event at once. */
export const EVENT_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
} as const

/** Makes proxies and clients see that the stream lives. */
export const KEEP_ALIVE = Buffer.from(': keep-alive\n\n')

/**
 * Time after which a client that was cut off comes back. The official clients try twice: that must outlast a restart of
 * the bridge and the agent's next connection.
 */
const RETRY_MS = 3_000
const EVENT_END = Buffer.from('\n\n')
/** Below this size, a copy costs less than writing pieces. */
const JOINED_BELOW_BYTES = 16_384

/**
 * The event of a JSON text in pieces; a short one is joined to one piece.
 * @param id names its position, from which a client can read on
 */
export function eventOf<T extends Payload>(
  parts: readonly (Buffer | T)[],
  id?: string,
): readonly (Buffer | T)[] {
  const head = Buffer.from(`event: message\n${id === undefined ? '' : `id: ${id}\n`}data: `)
  return joined([
    head,
    ...parts.map((part) => (Buffer.isBuffer(part) ? withDataLines(part) : part)),
    EVENT_END,
  ])
}

function joined<T extends Payload>(pieces: readonly (Buffer | T)[]): readonly (Buffer | T)[] {
  const isShort = pieces.reduce((sum, piece) => sum + payloadBytes(piece), 0) < JOINED_BELOW_BYTES
  return isShort && pieces.every((piece) => Buffer.isBuffer(piece)) ? [Buffer.concat(pieces)] : pieces
}

/** An event without data, from whose position a client can read on before the first message. */
export function primingEvent(id: string): Buffer {
  return Buffer.from(`id: ${id}\nretry: ${RETRY_MS}\ndata: \n\n`)
}

/** White space between members may hold line ends, which begin another line of the event's data. */
function withDataLines(json: Buffer): Buffer {
  if (!json.includes('\n') && !json.includes('\r')) return json
  return Buffer.from(json.toString('latin1').replace(/\r\n|[\r\n]/g, '\ndata: '), 'latin1')
}
