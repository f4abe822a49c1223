import {
  bytesAt,
  CLOSE_BRACE,
  objectMembers,
  pickMembers,
  type RawJson,
  skipSpace,
  TWICE,
  toJson,
} from '@bridgekeeper/protocol'

const OPEN = Buffer.from('[')
const COMMA = Buffer.from(',')
const CLOSE = Buffer.from(']')
const NOTHING = Buffer.alloc(0)

/**
 * Sets a member, on a path of objects, and keeps all other bytes. Objects that are missing on the way are created.
 * @returns `undefined` if two parsers could disagree about the place
 */
export function withMember(
  object: RawJson,
  [name = '', ...rest]: readonly string[],
  value: RawJson,
): RawJson | undefined {
  const [at] = pickMembers(object, [name]) ?? [TWICE]
  if (at === TWICE) return undefined
  const inner = bytesAt(object, at) ?? Buffer.from('{}')
  const changed = rest.length === 0 ? value : withMember(inner, rest, value)
  if (changed === undefined) return undefined
  if (at !== undefined) return Buffer.concat([object.subarray(0, at[0]), changed, object.subarray(at[1])])
  const end = object.lastIndexOf(CLOSE_BRACE)
  const isEmpty = skipSpace(object, skipSpace(object, 0) + 1) === end
  const head = [object.subarray(0, end), isEmpty ? NOTHING : COMMA, toJson(name), Buffer.from(':')]
  return Buffer.concat([...head, changed, object.subarray(end)])
}

/** An array of these values. */
export function arrayOf(items: readonly RawJson[]): RawJson {
  const parts = items.flatMap((item, at) => (at === 0 ? [item] : [COMMA, item]))
  return Buffer.concat([OPEN, ...parts, CLOSE])
}

/** The result of a JSON-RPC answer; `undefined` for an error. */
export function resultOf(answer: RawJson): RawJson | undefined {
  return bytesAt(answer, objectMembers(answer)?.get('result'))
}
