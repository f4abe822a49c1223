import {
  CLOSE_BRACE,
  type Era,
  OPEN_BRACE,
  pickMembers,
  type RawJson,
  type Span,
  skipSpace,
  spanIs,
  TWICE,
} from '@bridgekeeper/protocol'
import { SERVER_INFO_META_KEY } from '@modelcontextprotocol/server'
import { beginsWithContent } from '../calls/outcome.ts'
import type { ServerIdentity } from './tool-view.ts'

const MEMBERS = ['resultType', 'content', 'task', '_meta']

/**
 * Adapts a result to the caller's protocol revision. Changes it only if necessary, by splicing: everything keeps
 * the bytes of the local server.
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
  const members = pickMembers(result, MEMBERS)
  if (members === undefined) return undefined
  const [type, content, task, meta] = members
  if (content !== undefined && spanIs(result, content, 'null'))
    return resultFor(era, withEmptyList(result, content), serverIdentity)
  const added: string[] = []
  if (era === '2026' && type === undefined) added.push('"resultType":"complete"')
  if (content === undefined && task === undefined) added.push('"content":[]')
  if (era === '2026' && meta === undefined) added.push(`"_meta":{${nameOf(serverIdentity())}}`)
  const whole: Span = [0, result.length]
  const isNameless = era === '2026' && meta !== undefined && lacksName(result, meta)
  const named = isNameless ? withFirst(result, meta, nameOf(serverIdentity())) : result
  return added.length === 0 ? named : withFirst(named, whole, added.join(','))
}

/** Part of the first bytes of nearly every answer. */
const USUAL = '"result":{"content":['
const HEAD_BYTES = 512
const COMPLETE = '"complete"'

/**
 * [MCP.19] Adds `content` to the result of a call that lacks it. Errors, tasks and requests for input stay as they are.
 * @param answer a whole JSON-RPC response
 */
export function withContent(answer: RawJson): RawJson {
  if (answer.subarray(0, HEAD_BYTES).includes(USUAL)) return answer
  const [at] = pickMembers(answer, ['result']) ?? []
  if (at === undefined || answer[at[0]] !== OPEN_BRACE) return answer
  const [type, content, task] = pickMembers(answer, MEMBERS, at) ?? [TWICE]
  const isComplete = type === undefined || spanIs(answer, type, COMPLETE)
  if (isComplete && content !== undefined && spanIs(answer, content, 'null'))
    return withEmptyList(answer, content)
  if (!isComplete || content !== undefined || task !== undefined) return answer
  return withFirst(answer, at, '"content":[]')
}

/** Most results begin with their content, which suffices for the older revision. */
function isComplete(era: Era, result: RawJson): boolean {
  return era === '2025' && beginsWithContent(result)
}

function lacksName(result: RawJson, meta: Span): boolean {
  const [name] = pickMembers(result, [SERVER_INFO_META_KEY], meta) ?? [TWICE]
  return name === undefined
}

function nameOf({ serverInfo }: ServerIdentity): string {
  return `${JSON.stringify(SERVER_INFO_META_KEY)}:${serverInfo}`
}

/** Programs in Go write an empty list as null. */
function withEmptyList(json: RawJson, [start, end]: Span): RawJson {
  return Buffer.concat([json.subarray(0, start), Buffer.from('[]'), json.subarray(end)])
}

/** Puts members in front of the others of an object. */
function withFirst(json: RawJson, [start]: Span, members: string): RawJson {
  const isEmpty = json[skipSpace(json, start + 1)] === CLOSE_BRACE
  return Buffer.concat([
    json.subarray(0, start + 1),
    Buffer.from(isEmpty ? members : `${members},`),
    json.subarray(start + 1),
  ])
}
