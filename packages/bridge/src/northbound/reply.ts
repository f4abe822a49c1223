import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { type BridgeError, type Payload, type RawJson, toJson } from '@bridgekeeper/protocol'
import { memoize } from '../memoize.ts'
import type { Pieces } from './pieces.ts'
import {
  sendCallRefusal,
  sendEvents,
  sendLarge,
  sendLargeEvent,
  sendList,
  sendMessage,
  sendRpc,
} from './respond.ts'
import { type RpcError, toRpcError } from './rpc-error.ts'
import type { AuthenticateFacts } from './www-authenticate.ts'

/** Format of an answer: one JSON text, or an event stream with one message. */
export type AnswerFormat = 'json' | 'events'

const JSON_RANGES = ['application/json', 'application/*', '*/*']
const EVENT_RANGES = ['text/event-stream', 'text/*']
const QUALITY_ZERO = /;\s*q\s*=\s*0(?:\.0*)?\s*(?:;|$)/i

/** Chooses the format of the answer. @returns `undefined` if the caller accepts neither (RFC 9110 section 12.5.1) */
export function answerFormat({ accept }: IncomingHttpHeaders): AnswerFormat | undefined {
  return accept === undefined || accept === '' ? 'json' : formatsIn(accept).answer
}

/** Whether the caller reads event streams. A caller that accepts all types need not. */
export function acceptsEvents({ accept = '' }: IncomingHttpHeaders): boolean {
  return formatsIn(accept).events
}

/** Whether the caller may get an event stream where nothing else is possible: also if it accepts all types. */
export function allowsEvents({ accept }: IncomingHttpHeaders): boolean {
  return accept === undefined || accept === '' || formatsIn(accept).allowsEvents
}

/** Reads a value of `Accept`. */
const formatsIn = memoize((accept) => {
  const named = accept.split(',')
  const events = isAccepted(named, EVENT_RANGES)
  const allowsEvents = isAccepted(named, [...EVENT_RANGES, '*/*'])
  if (isAccepted(named, JSON_RANGES)) return { events, allowsEvents, answer: 'json' as const }
  // A caller of all types but JSON gets events.
  return { events, allowsEvents, answer: allowsEvents ? ('events' as const) : undefined }
})

/** Whether a type is accepted: the most specific of its ranges that is named decides. @param ranges most specific first */
function isAccepted(named: readonly string[], ranges: readonly string[]): boolean {
  const deciding = ranges.find((range) => named.some((one) => rangeOf(one) === range))
  return named.some((one) => rangeOf(one) === deciding && !QUALITY_ZERO.test(one))
}

function rangeOf(named: string): string {
  return (named.split(';')[0] ?? '').trim().toLowerCase()
}

/** Takes the answer to one JSON-RPC request, once. Ids are JSON bytes. */
export interface Reply {
  result(id: RawJson, result: RawJson): void
  /** @param httpStatus status of the response, unless it answers a batch */
  error(id: RawJson, error: RawJson, httpStatus?: number): void
  /** @param tools cached JSON text, which must not be copied @param more the rest of the result's JSON text */
  list(id: RawJson, tools: Buffer, more: string): void
  /** Sends an answer that is whole, with its id. @param httpStatus status of the response, unless it answers a batch */
  whole(id: RawJson, answer: RawJson, httpStatus: number): void
  /**
   * Sends an answer that is still arriving.
   * @param answer its JSON text
   * @param httpStatus status of the response, unless it answers a batch
   * @param wrote called after each write
   */
  large(id: RawJson, answer: Pieces, httpStatus: number, wrote: () => void): void
  /** Refuses a request as HTTP does: status, `Retry-After`, challenge. */
  refuse(id: RawJson, error: BridgeError, authenticate?: AuthenticateFacts): void
}

/** The usual reply: the answer is the HTTP response. */
class JsonReply implements Reply {
  readonly #response: ServerResponse

  constructor(response: ServerResponse) {
    this.#response = response
  }

  result(id: RawJson, result: RawJson): void {
    if (!this.#response.destroyed) sendRpc(this.#response, id, 'result', result)
  }

  error(id: RawJson, error: RawJson, httpStatus?: number): void {
    if (!this.#response.destroyed) sendRpc(this.#response, id, 'error', error, httpStatus)
  }

  list(id: RawJson, tools: Buffer, more: string): void {
    sendList(this.#response, id, tools, more)
  }

  whole(_id: RawJson, answer: RawJson, httpStatus: number): void {
    if (!this.#response.destroyed) sendMessage(this.#response, answer, httpStatus)
  }

  large(_id: RawJson, answer: Pieces, httpStatus: number, wrote: () => void): void {
    sendLarge(this.#response, answer, httpStatus, wrote)
  }

  refuse(id: RawJson, error: BridgeError, authenticate?: AuthenticateFacts): void {
    sendCallRefusal(this.#response, id, error, authenticate)
  }
}

/** Answers a caller that accepts only event streams with one event. Refusals with a status are still JSON. */
class EventReply extends JsonReply {
  readonly #stream: ServerResponse

  constructor(response: ServerResponse) {
    super(response)
    this.#stream = response
  }

  override result(id: RawJson, result: RawJson): void {
    sendEvents(this.#stream, [rpcParts(id, 'result', result)])
  }

  override error(id: RawJson, error: RawJson, httpStatus?: number): void {
    if (httpStatus === undefined) sendEvents(this.#stream, [rpcParts(id, 'error', error)])
    else super.error(id, error, httpStatus)
  }

  override list(id: RawJson, tools: Buffer, more: string): void {
    sendEvents(this.#stream, [listParts(id, tools, more)])
  }

  override whole(id: RawJson, answer: RawJson, httpStatus: number): void {
    if (httpStatus === 200) sendEvents(this.#stream, [[answer]])
    else super.whole(id, answer, httpStatus)
  }

  override large(id: RawJson, answer: Pieces, httpStatus: number, wrote: () => void): void {
    if (httpStatus === 200) sendLargeEvent(this.#stream, answer, wrote)
    else super.large(id, answer, httpStatus, wrote)
  }
}

/** The reply to one request, in the format that its caller accepts. */
export function replyTo(response: ServerResponse, format: AnswerFormat): Reply {
  return format === 'json' ? new JsonReply(response) : new EventReply(response)
}

/** A JSON text in pieces. */
export type JsonParts = readonly Buffer[]

/** An error of the bridge, or one that is already JSON-RPC, as JSON text. */
export function errorJson(error: BridgeError | RpcError): RawJson {
  return toJson('next' in error ? toRpcError(error) : error)
}

/** A JSON-RPC answer around this value. */
export function rpcParts<T extends Payload>(
  id: RawJson,
  member: 'result' | 'error',
  value: T,
): readonly (Buffer | T)[] {
  return [Buffer.from('{"jsonrpc":"2.0","id":'), id, Buffer.from(`,"${member}":`), value, CLOSE]
}

/** The answer to `tools/list`. @param tools JSON text of the list @param more the rest of the result's JSON text */
export function listParts(id: RawJson, tools: Buffer, more: string): JsonParts {
  return [
    Buffer.from('{"jsonrpc":"2.0","id":'),
    id,
    Buffer.from(',"result":{"tools":'),
    tools,
    Buffer.from(`${more}}`),
  ]
}

const CLOSE = Buffer.from('}')
