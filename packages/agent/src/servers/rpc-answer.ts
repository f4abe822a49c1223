import { isUtf8 } from 'node:buffer'
import {
  bytesAt,
  type ErrorCode,
  isObject,
  leadingMembers,
  OPEN_BRACE,
  parseJson,
  pickMembers,
  type RawJson,
  type Span,
  spanIs,
  TWICE,
  toJson,
} from '@bridgekeeper/protocol'
import type { LongLine } from './lines.ts'

/** Members of a JSON-RPC message. Others are ignored. */
export type Members = ReadonlyMap<string, Span>

const NAMES = ['jsonrpc', 'id', 'method', 'params', 'result', 'error'] as const

/** Content of an answer. */
export type Answer =
  | { readonly kind: 'result'; readonly result: RawJson }
  | { readonly kind: 'rpc-error'; readonly rpcError: RawJson; readonly message: string }
  /** An answer that cannot be passed on; `text` is the readable part. */
  | {
      readonly kind: 'invalid'
      readonly code: Extract<ErrorCode, 'result_invalid' | 'result_too_large'>
      readonly detail: string
      readonly text: Buffer
    }

/** Characters of an unreadable text that are searched at each end. */
const HEAD_CHARS = 256
const INTERNAL_ERROR = -32_603
const NO_MESSAGE = 'The server gave no message.'
/** Matches an id at the end of an answer, followed at most by `jsonrpc`. */
const LAST_ID = /,\s*"id"\s*:\s*(\d{1,15}|"\d{1,15}")\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?,?\s*\}\s*$/
/** Matches the beginning of an answer in another notation, such as that of Python. */
const OTHER_ANSWER = /^\s*\{\s*["']?(?:jsonrpc|id|result|error)["']?\s*:/
/** Values of `error` that count as absent beside a result. */
const NO_ERROR: readonly string[] = ['false', '0', '""', '{}', '[]']

/**
 * Reads a JSON-RPC answer (JSON-RPC 2.0 section 5). Lenient where only one meaning is possible: a member that
 * is `null` counts as absent, and an error needs neither a code nor a message.
 */
export function readAnswer(line: Buffer, members: Members): Answer {
  if (!isUtf8(line)) return invalid(line, 'it is not UTF-8')
  const result = bytesAt(line, members.get('result'))
  const error = bytesAt(line, members.get('error'))
  const hasResult = result !== undefined && !isNull(line, members.get('result'))
  const hasError =
    error !== undefined &&
    !isNull(line, members.get('error')) &&
    !(hasResult && NO_ERROR.includes(error.toString('utf8', 0, 8)))
  if (hasResult && hasError) return invalid(line, 'it has both a result and an error')
  if (hasError) return readError(error)
  if (!hasResult) return invalid(line, 'it has neither a result nor an error')
  return result[0] === OPEN_BRACE ? { kind: 'result', result } : invalid(line, 'its result is not an object')
}

/** Finds the members of a message, which may have any others. @returns `undefined` if it is not one object, or has one of them twice */
export function readMembers(text: Buffer): Members | undefined {
  const spans = pickMembers(text, NAMES)
  if (spans === undefined || spans.includes(TWICE)) return undefined
  return new Map(NAMES.flatMap((name, at) => (spans[at] === undefined ? [] : [[name, spans[at]] as const])))
}

/** Whether a message is a request or a notification. Some programs write an empty method into each answer. */
export function hasMethod(text: Buffer, members: Members): boolean {
  const method = members.get('method')
  return method !== undefined && !isNull(text, method) && !spanIs(text, method, '""')
}

/** Whether an unreadable text can be an answer, of which not even the id can be read. */
export function mayBeAnswer(text: Buffer): boolean {
  const head = text.toString('latin1', 0, HEAD_CHARS)
  if (!OTHER_ANSWER.test(head) || /["']method["']/.test(head)) return false
  const ends = head + text.toString('latin1', Math.max(0, text.length - HEAD_CHARS))
  return ends.includes('jsonrpc') && /["'](?:result|error)["']/.test(ends)
}

/** Explains why an answer cannot be read. */
export function unreadable(text: Buffer): Answer {
  const hasTwice = pickMembers(text, NAMES)?.includes(TWICE) === true
  return invalid(text, hasTwice ? 'it has a duplicate member' : 'it is not valid JSON')
}

/** The answer to a call whose line was not kept. */
export function tooLarge({ isTooLong }: LongLine, maxBytes: number): Answer {
  const detail = isTooLong
    ? `it has more than ${maxBytes} bytes`
    : 'the agent has no memory for another large answer'
  return { kind: 'invalid', code: 'result_too_large', detail, text: Buffer.alloc(0) }
}

/** Reads an id as a number, also from text; `null` for a missing id, `undefined` for any other value. */
export function idNumber(line: Buffer, id: Span | undefined): number | null | undefined {
  if (id === undefined || isNull(line, id)) return null
  const value = parseJson(line.toString('utf8', ...id))?.value
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  return Number.isSafeInteger(number) ? (number as number) : undefined
}

/** The id of a torn or invalid message, if it can be found. */
export function brokenId(head: Buffer, tail: Buffer): number | undefined {
  const members = leadingMembers(head)
  if (hasMethod(head, members)) return undefined
  const first = idNumber(head, members.get('id'))
  if (typeof first === 'number') return first
  const last = LAST_ID.exec(tail.toString('latin1'))?.[1]
  return last === undefined ? undefined : Number(last.replaceAll('"', ''))
}

function isNull(line: Buffer, span: Span | undefined): boolean {
  return spanIs(line, span, 'null')
}

/** Keeps the bytes of a well-formed error; rebuilds any other. */
function readError(rpcError: RawJson): Answer {
  const value = parseJson(rpcError.toString('utf8'))?.value
  if (!isObject(value)) return madeError(INTERNAL_ERROR, value)
  const { code, message } = value
  if (Number.isSafeInteger(code) && typeof message === 'string')
    return { kind: 'rpc-error', rpcError, message }
  const number = typeof code === 'string' ? Number.parseInt(code, 10) : code
  return madeError(Number.isSafeInteger(number) ? (number as number) : INTERNAL_ERROR, message, value.data)
}

function madeError(code: number, said: unknown, data?: unknown): Answer {
  const message = typeof said === 'string' && said !== '' ? said : NO_MESSAGE
  const rpcError = toJson({ code, message, ...(data !== undefined && { data }) })
  return { kind: 'rpc-error', rpcError, message }
}

function invalid(text: Buffer, detail: string): Answer {
  return { kind: 'invalid', code: 'result_invalid', detail, text }
}
