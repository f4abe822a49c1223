import {
  BridgeError,
  bytesAt,
  isEmptyAt,
  OPEN_BRACE,
  type RawJson,
  type Span,
  stringAt,
} from '@bridgekeeper/protocol'
import { readParams } from './message.ts'

/** The parameters of a `tools/call`, read as bytes. */
export interface CallParams {
  readonly toolName: string
  /** A JSON object. */
  readonly rawArgs: RawJson
  /** A JSON object; `undefined` if the caller sent none. */
  readonly rawMeta: RawJson | undefined
}

const CALL_MEMBERS = ['name', 'arguments', '_meta']
const LIST_MEMBERS = ['cursor', '_meta']
const NO_ARGUMENTS: RawJson = Buffer.from('{}')

/** Reads the parameters of a `tools/call`. @returns an error if they are invalid */
export function readCallParams(body: Buffer, params: Span | undefined): CallParams | BridgeError {
  const members = readParams(body, params, CALL_MEMBERS)
  if (members instanceof BridgeError) return members
  const [name, args, meta] = members
  const toolName = stringAt(body, name)
  if (toolName === undefined) return new BridgeError('params_invalid', '"params.name" must be a string.')
  const rawArgs = objectAt(body, args)
  if (rawArgs === false) return new BridgeError('arguments_invalid', '"params.arguments" must be an object.')
  const rawMeta = objectAt(body, meta)
  if (rawMeta === false) return new BridgeError('params_invalid', '"params._meta" must be an object.')
  return { toolName, rawArgs: rawArgs ?? NO_ARGUMENTS, rawMeta }
}

/** Checks the parameters of a `tools/list`. A list has one page. @returns an error if they are invalid */
export function readListParams(body: Buffer, params: Span | undefined): BridgeError | undefined {
  const members = readParams(body, params, LIST_MEMBERS)
  if (members instanceof BridgeError) return members
  const [cursor, meta] = members
  if (!isEmptyAt(body, cursor) && stringAt(body, cursor) !== '')
    return new BridgeError(
      'params_invalid',
      '"params.cursor" must be absent or empty: the list has one page.',
    )
  if (objectAt(body, meta) === false)
    return new BridgeError('params_invalid', '"params._meta" must be an object.')
  return undefined
}

/** @returns `undefined` for an absent or empty value, `false` for one that is not an object */
function objectAt(body: Buffer, span: Span | undefined): RawJson | undefined | false {
  const value = bytesAt(body, span)
  if (value === undefined || value[0] === OPEN_BRACE) return value
  return isEmptyAt(body, span) ? undefined : false
}
