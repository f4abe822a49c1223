import { objectMembers, pickMembers, type RawJson, withoutMembers } from '@bridgekeeper/protocol'

const EMPTY: RawJson = Buffer.from('{}')
const OPEN = Buffer.from('{')
const COMMA = Buffer.from(',')
const CLOSE = Buffer.from('}')

/**
 * Writes members behind those of an object, in place of any of the same name. All other bytes stay.
 * @param object `undefined`, and JSON of another type, counts as empty
 * @param members each value is JSON; those that are `undefined` are only removed
 */
export function withMembers(
  object: RawJson | undefined,
  members: Readonly<Record<string, RawJson | undefined>>,
): RawJson {
  const isObject = object !== undefined && pickMembers(object, []) !== undefined
  const rest = without(isObject ? object : EMPTY, Object.keys(members))
  const written = Object.entries(members).flatMap(([name, value]) =>
    value === undefined ? [] : [Buffer.concat([Buffer.from(`${JSON.stringify(name)}:`), value])],
  )
  const kept = objectMembers(rest)?.size === 0 ? [] : [rest.subarray(1, -1)]
  const parts = [...kept, ...written].flatMap((part, at) => (at === 0 ? [part] : [COMMA, part]))
  return Buffer.concat([OPEN, ...parts, CLOSE])
}

/** Removes members of an object. */
export function without(object: RawJson, names: readonly string[]): RawJson {
  return withoutMembers(object, names) ?? EMPTY
}
