import { BridgeError, bytesAt, type RawJson } from '@bridgekeeper/protocol'
import { denialError } from '../gates/verdict.ts'
import { MESSAGE_ALLOWANCE, unitsOf } from '../limiters/allowance.ts'
import type { SecurityLog } from '../ports.ts'
import { cancelCall } from './cancel.ts'
import type { FirstStart } from './first-start.ts'
import { FromCatalog } from './from-catalog.ts'
import { NULL_ID, type RpcMessage, type RpcRequest, readParams } from './message.ts'
import { factsOf, type MessageContext, type NoteContext } from './message-context.ts'
import type { OpenRequest } from './open-request.ts'
import { errorJson } from './reply.ts'
import { sendAccepted } from './respond.ts'
import type { RevisionError } from './revision.ts'
import { sendError, sendRevisionError } from './send-error.ts'
import type { ShortCalls } from './short-calls.ts'
import { readCallParams } from './tool-call.ts'

/** Counts the messages of callers, and decides how each is answered. */
export class Messages {
  readonly #calls: ShortCalls
  readonly #fromCatalog: FromCatalog
  readonly #firstStart: FirstStart
  readonly #log: SecurityLog

  constructor(calls: ShortCalls, firstStart: FirstStart, log: SecurityLog) {
    this.#calls = calls
    this.#fromCatalog = new FromCatalog(log)
    this.#firstStart = firstStart
    this.#log = log
  }

  /** Answers a message that is a whole body. Every message except a call counts as one. */
  answer(context: MessageContext, message: RpcMessage): void | Promise<void> {
    if (message.kind === 'request' && message.method === 'tools/call') return this.#call(context, message)
    const spent = context.open.spend(unitsOf(context.body.length, MESSAGE_ALLOWANCE))
    if (spent !== undefined) {
      const id = 'id' in message ? message.id : NULL_ID
      return this.#log.afterWritten(() => context.reply.refuse(id, denialError(spent)))
    }
    if (message.kind === 'request' || message.kind === 'invalid') return this.answerRequest(context, message)
    const refused = this.take(context, message)
    if (refused === undefined) sendAccepted(context.open.response)
    else context.reply.error(NULL_ID, errorJson(refused.rpcError), refused.httpStatus)
  }

  /** Answers a request, which has been counted unless it is a call. */
  answerRequest(
    context: MessageContext,
    message: Extract<RpcMessage, { kind: 'request' | 'invalid' }>,
  ): void | Promise<void> {
    const { reply, view, open, at } = context
    if (message.kind === 'invalid') return sendError(reply, message.id, message.error)
    const { id, method } = message
    if (method === 'tools/call') return this.#call(context, message)
    const facts = factsOf(context, message)
    if (!('era' in facts)) return sendRevisionError(reply, id, facts)
    if (method === 'initialize' && at !== undefined && facts.era === '2025')
      return sendError(
        reply,
        id,
        new BridgeError('request_invalid', '"initialize" must not be part of a batch.'),
      )
    const answer = (): void | Promise<void> => this.#fromCatalog.answer(context, message, facts.era)
    const isStarting = (): boolean => view.isStarting(method)
    return isStarting() ? this.#afterStart(open, id, isStarting, answer) : answer()
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
    context: NoteContext,
    message: Extract<RpcMessage, { kind: 'notification' | 'response' }>,
  ): RevisionError | undefined {
    if (message.kind === 'response') return undefined
    const { body, open } = context
    const facts = factsOf(context, message)
    if (facts instanceof BridgeError) return undefined
    if (!('era' in facts)) return facts
    if (message.method !== 'notifications/cancelled') return undefined
    const members = readParams(body, message.params, ['requestId'])
    const requestId = members instanceof BridgeError ? undefined : bytesAt(body, members[0])
    if (requestId !== undefined) cancelCall(open, requestId)
    return undefined
  }

  #call(context: MessageContext, message: RpcRequest): void {
    const { body, open, reply } = context
    const call = readCallParams(body, message.params)
    const facts = call instanceof BridgeError ? call : factsOf(context, message, call)
    if (call instanceof BridgeError || !('era' in facts)) {
      open.charge(body.length)
      return sendRevisionError(reply, message.id, facts as RevisionError | BridgeError)
    }
    this.#calls.run(context, message.id, call, facts.era)
  }
}
