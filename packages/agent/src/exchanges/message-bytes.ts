import {
  arrayItems,
  bytesAt,
  CLOSE_BRACE,
  isEmptyAt,
  parseJson,
  pickMembers,
  type RawJson,
  stringAt,
  TWICE,
} from '@bridgekeeper/protocol'

/** A JSON-RPC request, notification or answer of a caller. Payloads are its bytes. */
export interface CallerMessage {
  readonly raw: RawJson
  readonly id: RawJson | undefined
  readonly method: string | undefined
  /** `undefined` for `null` and `[]`, too, with which servers ignore a message. */
  readonly params: RawJson | undefined
  readonly result: RawJson | undefined
  readonly error: RawJson | undefined
}

const MEMBERS = ['id', 'method', 'params', 'result', 'error']
/** Messages in one batch; a longer one is refused. */
const MAX_BATCH = 128

/** Reads one JSON-RPC message; `undefined` if it is invalid. */
export function readMessage(raw: RawJson): CallerMessage | undefined {
  const members = pickMembers(raw, MEMBERS)
  if (members === undefined || members.includes(TWICE)) return undefined
  const [id, method, params, result, error] = members
  return {
    raw,
    id: bytesAt(raw, id),
    method: stringAt(raw, method),
    params: isEmptyAt(raw, params) ? undefined : bytesAt(raw, params),
    result: bytesAt(raw, result),
    error: bytesAt(raw, error),
  }
}

/** Reads one message, or a batch of them; `undefined` if it is neither. */
export function readMessages(raw: RawJson): readonly CallerMessage[] | undefined {
  const items = arrayItems(raw, MAX_BATCH)
  const messages = (items ?? [[0, raw.length] as const]).map(([start, end]) =>
    readMessage(raw.subarray(start, end)),
  )
  const read = messages.filter((message) => message !== undefined)
  return read.length === messages.length ? read : undefined
}

/** Text that is equal for equal ids; `undefined` if the value is not an id. Numbers beyond 53 bits differ if their bytes do. */
export function idKey(id: RawJson | undefined): string | undefined {
  const text = id?.toString('utf8') ?? ''
  const value = parseJson(text)?.value
  if (typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER) return text.trim()
  return typeof value === 'string' || typeof value === 'number' ? JSON.stringify(value) : undefined
}

/** A number that the agent gave to a server. Some servers return it as text, or as a fraction. */
export function numberOf(json: RawJson | undefined): number | undefined {
  const value = json && parseJson(json.toString('utf8'))?.value
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  return typeof number === 'number' ? number : undefined
}

/** Writes an answer. @param value one JSON value */
export function answerOf(id: RawJson, member: 'result' | 'error', value: RawJson): RawJson {
  const head = Buffer.from(`{"jsonrpc":"2.0","id":`)
  return Buffer.concat([head, id, Buffer.from(`,"${member}":`), value, Buffer.from([CLOSE_BRACE])])
}
