import { isObject, objectMembers, parseJson, type RawJson } from '@bridgekeeper/protocol'
import { SERVER_INFO_META_KEY } from '@modelcontextprotocol/server'
import type { Era } from './tool-call.ts'
import type { ServerIdentity } from './tool-view.ts'

/**
 * A result as the caller's protocol revision wants it, changed only where it must be, and then by
 * splicing: the payload stays the bytes the local server wrote.
 *
 * 2025-11-25 takes it as it is. 2026-07-28 also needs `resultType`, and asks servers to name
 * themselves in `_meta`. Either needs `content`, which some servers leave out.
 *
 * @returns `undefined` when the bytes are not a JSON object
 */
export function resultFor(era: Era, result: RawJson, identity: () => ServerIdentity): RawJson | undefined {
  const members = objectMembers(result)
  if (members === undefined) return undefined
  const added: string[] = []
  if (era === 'modern' && !members.has('resultType')) added.push('"resultType":"complete"')
  if (!members.has('content') && !members.has('task')) added.push('"content":[]')
  if (era === 'legacy') return splice(result, members.size === 0, added)

  const meta = members.get('_meta')
  if (meta === undefined) {
    added.push(`"_meta":${JSON.stringify(named({}, identity()))}`)
    return splice(result, members.size === 0, added)
  }
  const parsed = parseJson(result.toString('utf8', meta[0], meta[1]))?.value
  if (!isObject(parsed) || Object.hasOwn(parsed, SERVER_INFO_META_KEY)) return splice(result, false, added)
  const withMeta = Buffer.concat([
    result.subarray(0, meta[0]),
    Buffer.from(JSON.stringify(named(parsed, identity()))),
    result.subarray(meta[1]),
  ])
  return splice(withMeta, false, added)
}

function named(meta: Record<string, unknown>, identity: ServerIdentity): Record<string, unknown> {
  return { ...meta, [SERVER_INFO_META_KEY]: identity.serverInfo }
}

/** Puts members before the closing brace of an object. */
function splice(object: RawJson, isEmpty: boolean, members: readonly string[]): RawJson {
  if (members.length === 0) return object
  const end = object.lastIndexOf(0x7d)
  return Buffer.concat([
    object.subarray(0, end),
    Buffer.from((isEmpty ? '' : ',') + members.join(',')),
    object.subarray(end),
  ])
}
