import {
  CLOSE_BRACE,
  type Era,
  isObject,
  OPEN_BRACE,
  objectMembers,
  parseJson,
  type RawJson,
  type Span,
  toJson,
} from '@bridgekeeper/protocol'
import { SERVER_INFO_META_KEY } from '@modelcontextprotocol/server'
import { beginsWithContent } from '../calls/outcome.ts'
import type { ServerIdentity } from './tool-view.ts'

/**
 * Adapts a result to the caller's protocol revision. Changes it only if necessary, by splicing: everything
 * except an extended `_meta` keeps the bytes of the local server.
 *
 * 2025-11-25 needs no change. 2026-07-28 also needs `resultType`, and asks servers to name themselves in
 * `_meta`. Both need `content`, which some servers omit.
 *
 * @param result one complete JSON value, as the frame's reader found it
 * @returns `undefined` if it is not an object
 */
export function resultFor(
  era: Era,
  result: RawJson,
  serverIdentity: () => ServerIdentity,
): RawJson | undefined {
  if (result[0] !== OPEN_BRACE) return undefined
  if (isComplete(era, result)) return result
  const members = objectMembers(result)
  if (members === undefined) return rewritten(era, result, serverIdentity)

  const added: string[] = []
  if (era === '2026' && !members.has('resultType')) added.push('"resultType":"complete"')
  if (!members.has('content') && !members.has('task')) added.push('"content":[]')
  const meta = members.get('_meta')
  if (era === '2026' && meta === undefined)
    added.push(`"_meta":${JSON.stringify(named({}, serverIdentity()))}`)
  const base = era === '2026' && meta !== undefined ? withNamedMeta(result, meta, serverIdentity) : result
  return splice(base, members.size === 0, added)
}

/** Parses and rewrites a result whose members cannot be found as bytes: its keys have escapes, or are too many. */
function rewritten(era: Era, result: RawJson, serverIdentity: () => ServerIdentity): RawJson | undefined {
  const value = parseJson(result.toString('utf8'))?.value
  if (!isObject(value)) return undefined
  const content = Object.hasOwn(value, 'content') || Object.hasOwn(value, 'task') ? {} : { content: [] }
  const { _meta = {} } = value
  const modern = era === '2026' && { _meta: isNameless(_meta) ? named(_meta, serverIdentity()) : _meta }
  const type = era === '2026' && { resultType: 'complete' }
  return toJson({ ...type, ...content, ...value, ...modern })
}

/** Most results begin with their content, which suffices for the older revision. */
function isComplete(era: Era, result: RawJson): boolean {
  return era === '2025' && beginsWithContent(result)
}

function withNamedMeta(result: RawJson, [start, end]: Span, serverIdentity: () => ServerIdentity): RawJson {
  const meta = parseJson(result.toString('utf8', start, end))?.value
  if (!isNameless(meta)) return result
  return Buffer.concat([
    result.subarray(0, start),
    toJson(named(meta, serverIdentity())),
    result.subarray(end),
  ])
}

function isNameless(meta: unknown): meta is Record<string, unknown> {
  return isObject(meta) && !Object.hasOwn(meta, SERVER_INFO_META_KEY)
}

function named(meta: Record<string, unknown>, serverIdentity: ServerIdentity): Record<string, unknown> {
  return { ...meta, [SERVER_INFO_META_KEY]: serverIdentity.serverInfo }
}

/** Puts members before the closing brace of an object. */
function splice(object: RawJson, isEmpty: boolean, members: readonly string[]): RawJson {
  if (members.length === 0) return object
  const end = object.lastIndexOf(CLOSE_BRACE)
  return Buffer.concat([
    object.subarray(0, end),
    Buffer.from((isEmpty ? '' : ',') + members.join(',')),
    object.subarray(end),
  ])
}
