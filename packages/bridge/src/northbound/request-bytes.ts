import {
  BridgeError,
  bytesAt,
  isEmptyAt,
  pickMembers,
  type RawJson,
  type Span,
  spanIs,
  stringAt,
  TWICE,
  withoutMembers,
} from '@bridgekeeper/protocol'
import { isIdAt, type RpcRequest } from './message.ts'

const EMPTY: RawJson = Buffer.from('{}')
const CURSOR = 'cursor'
/** One of them is in every text with an empty member. */
const HINTS = ['null', '[', '""']
/** Members of the parameters that may be missing, besides `_meta`. */
const OPTIONAL: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'arguments'],
  ['prompts/get', 'arguments'],
  ['tools/list', CURSOR],
  ['prompts/list', CURSOR],
  ['resources/list', CURSOR],
  ['resources/templates/list', CURSOR],
  ['tasks/list', CURSOR],
])
const TOKEN = 'progressToken'
const TASK = 'io.modelcontextprotocol/related-task'
/** Members of `_meta` that servers read before the method. */
const META_MEMBERS = [TOKEN, TASK]

/**
 * [MCP.11] The bytes of a request for its local server. Leaves out members that are `null` or `[]`: servers ignore a
 * request with such `params` or `_meta`, and refuse the others.
 *
 * @param at its position in a batch
 */
export function requestBytes(
  { body, at }: { readonly body: Buffer; readonly at?: Span | undefined },
  { method, params }: Pick<RpcRequest, 'method' | 'params'>,
): RawJson {
  const whole = bytesAt(body, at) ?? body
  const given = bytesAt(body, params)
  if (given === undefined || params === undefined) return whole
  const kept = isEmptyAt(given, [0, given.length]) ? EMPTY : withoutEmpty(given, method)
  if (kept === given) return whole
  const [start, end] = at ?? [0, body.length]
  return Buffer.concat([body.subarray(start, params[0]), kept, body.subarray(params[1], end)])
}

/**
 * [MCP.11] Finds what is wrong with members of `_meta` that concern the bridge and every server. Official servers
 * ignore a request in which they are invalid, so that it would never be answered.
 */
export function metaFault(rawMeta: RawJson): BridgeError | undefined {
  const members = pickMembers(rawMeta, META_MEMBERS)
  if (members === undefined) return new BridgeError('params_invalid', '"params._meta" must be an object.')
  const [token, task] = members
  const twice = members.indexOf(TWICE)
  if (twice !== -1) return invalid(META_MEMBERS[twice], 'occurs twice.')
  if (!isEmptyAt(rawMeta, token) && !isIdAt(rawMeta, token))
    return invalid(TOKEN, 'must be a string or a number.')
  if (isEmptyAt(rawMeta, task)) return undefined
  const [taskId] = pickMembers(rawMeta, ['taskId'], task) ?? []
  return stringAt(rawMeta, taskId) === undefined ? invalid(TASK, 'must name a task.') : undefined
}

function invalid(member: string | undefined, problem: string): BridgeError {
  return new BridgeError('params_invalid', `"params._meta.${member}" ${problem}`)
}

function withoutEmpty(params: RawJson, method: string): RawJson {
  if (!HINTS.some((hint) => params.includes(hint))) return params
  const kept = withoutEmptyOf(params, ['_meta', OPTIONAL.get(method) ?? '_meta'])
  const [metaAt] = pickMembers(kept, ['_meta']) ?? []
  const meta = bytesAt(kept, metaAt)
  if (meta === undefined || metaAt === undefined) return kept
  const keptMeta = withoutEmptyOf(meta, META_MEMBERS)
  if (keptMeta === meta) return kept
  return Buffer.concat([kept.subarray(0, metaAt[0]), keptMeta, kept.subarray(metaAt[1])])
}

/** @returns the object itself if none of these members is empty. An empty text is no cursor, but a token. */
function withoutEmptyOf(object: RawJson, names: readonly string[]): RawJson {
  const members = pickMembers(object, names) ?? []
  const empty = names.filter((name, at) => {
    const span = members[at]
    return span !== undefined && (isEmptyAt(object, span) || (name === CURSOR && spanIs(object, span, '""')))
  })
  return empty.length === 0 ? object : (withoutMembers(object, empty) ?? EMPTY)
}
