import type { IncomingMessage } from 'node:http'
import {
  BridgeError,
  bytesAt,
  isEmptyAt,
  parseJson,
  type RawJson,
  type Span,
  unreachable,
} from '@bridgekeeper/protocol'
import { type CallOutcome, isRefusal, REFUSALS } from '../calls/outcome.ts'
import { callScope } from '../gates/call-authority.ts'
import { denialError } from '../gates/verdict.ts'
import { MESSAGE_ALLOWANCE, unitsOf } from '../limiters/allowance.ts'
import type { SecurityLog } from '../ports.ts'
import type { Dispatcher } from '../router/dispatcher.ts'
import { cancelCall } from './cancel.ts'
import { discoverResult, initializeResult, listMembers } from './discovery.ts'
import type { FirstStart } from './first-start.ts'
import { guarded } from './guarded.ts'
import { NULL_ID, type RpcMessage, type RpcRequest, readParams } from './message.ts'
import type { OpenRequest } from './open-request.ts'
import { errorJson, type Reply } from './reply.ts'
import { sendAccepted } from './respond.ts'
import { type Era, eraOf, metaToForward, type RevisionError } from './revision.ts'
import { serveBySdk } from './sdk-path.ts'
import { type CallParams, readCallParams, readListParams } from './tool-call.ts'
import type { ToolAddress } from './tool-names.ts'
import { resultFor } from './tool-result.ts'
import type { ToolView } from './tool-view.ts'

/** The request around a message. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly open: OpenRequest
  readonly view: ToolView
  readonly body: Buffer
  /** Position of the message in a batch; `undefined` for a single message. */
  readonly at?: Span
  readonly reply: Reply
}

/** Memory of parsed JSON relative to its text: an empty object of two characters uses 56 bytes. */
const PARSED_WEIGHT = 16
const NO_METHOD = Buffer.from('{"code":-32601,"message":"Method not found"}')
const EMPTY_RESULT = Buffer.from('{}')

/** Answers the messages of callers, from bytes to bytes. */
export class Messages {
  readonly #dispatcher: Dispatcher
  readonly #log: SecurityLog
  readonly #metadataUrl: (request: IncomingMessage) => string | undefined
  readonly #firstStart: FirstStart

  /** @param metadataUrl where the metadata of a request's resource is */
  constructor(
    dispatcher: Dispatcher,
    log: SecurityLog,
    metadataUrl: (request: IncomingMessage) => string | undefined,
    firstStart: FirstStart,
  ) {
    this.#dispatcher = dispatcher
    this.#log = log
    this.#metadataUrl = metadataUrl
    this.#firstStart = firstStart
  }

  /** Answers a message that is a whole body. Every message except a call counts as one. */
  answer(exchange: Exchange, message: RpcMessage): void | Promise<void> {
    if (message.kind === 'request' && message.method === 'tools/call') return this.#call(exchange, message)
    const spent = exchange.open.spend(unitsOf(exchange.body.length, MESSAGE_ALLOWANCE))
    if (spent !== undefined) {
      const id = 'id' in message ? message.id : NULL_ID
      return this.#log.afterWritten(() => exchange.reply.refuse(id, denialError(spent)))
    }
    if (message.kind === 'request' || message.kind === 'invalid') return this.answerRequest(exchange, message)
    const refused = this.take(exchange, message)
    if (refused === undefined) sendAccepted(exchange.open.response)
    else exchange.reply.error(NULL_ID, errorJson(refused.rpcError), refused.httpStatus)
  }

  /** Answers a request, which has been counted unless it is a call. */
  answerRequest(
    exchange: Exchange,
    message: Extract<RpcMessage, { kind: 'request' | 'invalid' }>,
  ): void | Promise<void> {
    if (message.kind === 'invalid') return sendError(exchange.reply, message.id, message.error)
    if (message.method === 'tools/call') return this.#call(exchange, message)
    const era = eraOfMessage(exchange, message)
    if (typeof era !== 'string') return sendRevisionError(exchange.reply, message.id, era)
    const answer = (): void | Promise<void> =>
      era === 'legacy' ? this.#legacy(exchange, message) : this.#modern(exchange, message)
    const isStarting = (): boolean => exchange.view.isStarting(message.method)
    return isStarting() ? this.#afterStart(exchange.open, message.id, isStarting, answer) : answer()
  }

  /** [ROUTE.8] Answers once the servers no longer start, unless the caller is gone by then. */
  async #afterStart(
    open: OpenRequest,
    id: RawJson,
    isStarting: () => boolean,
    answer: () => void | Promise<void>,
  ): Promise<void> {
    await this.#firstStart.wait(open.caller.userId, isStarting, (end) => open.runs(id, end))
    if (!open.hasEnded && !open.response.destroyed) await answer()
  }

  /** Accepts a notification or a response. @returns the refusal, if any */
  take(
    exchange: Omit<Exchange, 'reply'>,
    message: Extract<RpcMessage, { kind: 'notification' | 'response' }>,
  ): RevisionError | undefined {
    if (message.kind === 'response') return undefined
    const { body, open } = exchange
    const era = eraOfMessage(exchange, message)
    if (era instanceof BridgeError) return undefined
    if (typeof era !== 'string') return era
    if (message.method !== 'notifications/cancelled') return undefined
    const members = readParams(body, message.params, ['requestId'])
    const requestId = members instanceof BridgeError ? undefined : bytesAt(body, members[0])
    if (requestId !== undefined) cancelCall(open, requestId)
    return undefined
  }

  #legacy(exchange: Exchange, { id, method, params }: RpcRequest): void {
    const { body, view, reply, at } = exchange
    switch (method) {
      case 'tools/list':
        return this.#list(exchange, id, params, 'legacy')
      case 'ping':
        return reply.result(id, EMPTY_RESULT)
      case 'initialize': {
        if (at !== undefined)
          return sendError(
            reply,
            id,
            new BridgeError('request_invalid', '"initialize" must not be part of a batch.'),
          )
        const result = initializeResult(body, params, view)
        return result instanceof BridgeError ? sendError(reply, id, result) : reply.result(id, result)
      }
      default:
        return reply.error(id, NO_METHOD)
    }
  }

  #modern(exchange: Exchange, { id, method, params }: RpcRequest): void | Promise<void> {
    const { request, open, view, body, reply } = exchange
    switch (method) {
      case 'tools/list':
        return this.#list(exchange, id, params, 'modern')
      case 'server/discover':
        return reply.result(id, discoverResult(view))
      case 'subscriptions/listen': {
        const parsed = parseJson(body.toString('utf8'))?.value
        if (!isSdkId(id)) {
          const detail = '"id" of a subscription must be a string or an integer below 2^53.'
          return sendError(reply, id, new BridgeError('request_invalid', detail))
        }
        const refused = open.hold(body.length * PARSED_WEIGHT)
        if (refused !== undefined) return this.#log.afterWritten(() => reply.refuse(id, denialError(refused)))
        return serveBySdk(request, open, view, parsed)
      }
      default:
        return reply.error(id, NO_METHOD, 404)
    }
  }

  /** [LOAD.3] Answers with the cached text of the catalog. */
  #list({ body, view, reply, open }: Exchange, id: RawJson, params: Span | undefined, era: Era): void {
    const invalid = readListParams(body, params)
    if (invalid !== undefined) return sendError(reply, id, invalid)
    try {
      reply.list(id, view.listJson(), listMembers(era, view))
      open.sent()
    } catch (error) {
      if (!(error instanceof BridgeError)) throw error
      sendError(reply, id, error)
    }
  }

  #call(exchange: Exchange, message: RpcRequest): void {
    const { body, open, view, reply } = exchange
    const { id } = message
    const call = readCallParams(body, message.params)
    const era = call instanceof BridgeError ? call : eraOfMessage(exchange, message, call)
    if (call instanceof BridgeError || typeof era !== 'string') {
      open.charge(body.length)
      return sendRevisionError(reply, id, era)
    }
    const address = view.address(call.toolName)
    if (address instanceof BridgeError) {
      open.charge(body.length)
      return sendError(reply, id, address)
    }
    const { serverName, toolName } = address
    const settle = (outcome: CallOutcome): void =>
      guarded(open.response, () => {
        if (open.hasEnded) return
        // [LOAD.4] Charges calls that no rate limit counted.
        if (isRefusal(outcome)) open.charge(body.length)
        if (lacksScope(outcome)) this.#askForScope(exchange, id, outcome.error, address)
        else sendOutcome(reply, view, id, era, outcome)
        open.sent()
      })
    const { rawArgs } = call
    const rawMeta = metaToForward(era, call.rawMeta)
    open.runs(
      id,
      this.#dispatcher.call(open.caller, { serverName, toolName, rawArgs, rawMeta, bounded: true }, settle),
    )
  }

  /** [RS.6] Names the scope that a client must request for this call. */
  #askForScope({ reply, request }: Exchange, id: RawJson, error: BridgeError, address: ToolAddress): void {
    const neededScope = callScope(address.serverName, address.toolName)
    reply.refuse(id, error, { metadataUrl: this.#metadataUrl(request), neededScope })
  }
}

function eraOfMessage(
  { request: { headers }, body, at }: Omit<Exchange, 'reply'>,
  { kind, method, params }: Extract<RpcMessage, { kind: 'request' | 'notification' }>,
  call?: CallParams,
): Era | RevisionError | BridgeError {
  if (call !== undefined) return forBatch(at, eraOf({ headers, kind, method, ...call }))
  const members = readParams(body, params, ['_meta'])
  if (members instanceof BridgeError) return members
  const rawMeta = isEmptyAt(body, members[0]) ? undefined : bytesAt(body, members[0])
  return forBatch(at, eraOf({ headers, kind, method, rawMeta }))
}

function forBatch(at: Span | undefined, era: Era | RevisionError): Era | RevisionError | BridgeError {
  if (at === undefined || era === 'legacy') return era
  return new BridgeError('request_invalid', 'Batches are not part of revision 2026-07-28.')
}

function lacksScope(outcome: CallOutcome): outcome is Extract<CallOutcome, { kind: 'failed' }> {
  return outcome.kind === 'failed' && outcome.error.code === 'scope_insufficient'
}

function sendOutcome(reply: Reply, view: ToolView, id: RawJson, era: Era, outcome: CallOutcome): void {
  switch (outcome.kind) {
    case 'result': {
      const result = resultFor(era, outcome.result, () => view.serverIdentity())
      if (result === undefined) return sendError(reply, id, new BridgeError('result_invalid'))
      return reply.result(id, result)
    }
    case 'rpc-error':
      return reply.error(id, outcome.rpcError)
    case 'failed':
      return sendError(reply, id, outcome.error)
    default:
      return unreachable(outcome)
  }
}

function sendRevisionError(reply: Reply, id: RawJson, error: RevisionError | BridgeError | Era): void {
  if (error instanceof BridgeError) sendError(reply, id, error)
  else if (typeof error !== 'string') reply.error(id, errorJson(error.rpcError), error.httpStatus)
}

function sendError(reply: Reply, id: RawJson, error: BridgeError): void {
  if (REFUSALS.has(error.code)) reply.refuse(id, error)
  else reply.error(id, errorJson(error), error.code === 'request_invalid' ? 400 : undefined)
}

/** Whether the SDK keeps the id unchanged. */
function isSdkId(id: RawJson): boolean {
  const value = parseJson(id.toString('utf8'))?.value
  return typeof value === 'string' || Number.isSafeInteger(value)
}
