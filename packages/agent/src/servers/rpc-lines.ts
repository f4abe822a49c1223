import type { RawJson } from '@bridgekeeper/protocol'

const NEWLINE = 0x0a
const CARRIAGE_RETURN = 0x0d
const SPACE = 0x20

/** A request as one line. @param params one JSON object; `undefined` writes no member */
export function requestLine(id: number, method: string, params: RawJson | undefined): Buffer {
  return line(`{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)}`, 'params', params)
}

/** A notification as one line. @param params one JSON object; `undefined` writes no member */
export function notificationLine(method: string, params: RawJson | undefined): Buffer {
  return line(`{"jsonrpc":"2.0","method":${JSON.stringify(method)}`, 'params', params)
}

/** An answer as one line. @param id JSON of the id */
export function answerLine(id: RawJson, member: 'result' | 'error', value: RawJson): Buffer {
  return line(`{"jsonrpc":"2.0","id":${id.toString('utf8')}`, member, value)
}

/** The notification that a request of ours is of no use any more. */
export function cancellationLine(requestId: number): Buffer {
  const params = `{"requestId":${requestId},"reason":"The caller no longer waits."}`
  return notificationLine('notifications/cancelled', Buffer.from(params))
}

function line(head: string, member: string, value: RawJson | undefined): Buffer {
  if (value === undefined) return Buffer.from(`${head}}\n`)
  return Buffer.concat([Buffer.from(`${head},"${member}":`), oneLine(value), Buffer.from('}\n')])
}

/**
 * Replaces line breaks by spaces: a line break would let the payload end the message and forge a second one.
 * Valid JSON has them only between tokens, where a space means the same.
 */
function oneLine(json: RawJson): RawJson {
  if (!json.includes(NEWLINE) && !json.includes(CARRIAGE_RETURN)) return json
  const line = Buffer.from(json)
  for (const end of [NEWLINE, CARRIAGE_RETURN])
    for (let at = line.indexOf(end); at !== -1; at = line.indexOf(end, at + 1)) line[at] = SPACE
  return line
}
