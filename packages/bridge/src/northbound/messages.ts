import { BridgeError, bytesAt, isName, pickMembers, type RawJson, type Span } from '@bridgekeeper/protocol'
import { denialError } from '../gates/verdict.ts'
import type { SecurityLog } from '../ports.ts'
import { renamed } from './aggregate/addresses.ts'
import type { AggregateRequests } from './aggregate/requests.ts'
import { cancelCall } from './cancel.ts'
import type { ExchangeRequests } from './exchange-requests.ts'
import type { FirstStart } from './first-start.ts'
import type { FromCatalog } from './from-catalog.ts'
import { hasSession } from './mcp-session.ts'
import {
  type CallParams,
  NULL_ID,
  type RpcMessage,
  type RpcRequest,
  readCallParams,
  readParams,
} from './message.ts'
import type { MessageContext, NoteContext } from './message-context.ts'
import type { OpenRequest } from './open-request.ts'
import { errorJson } from './reply.ts'
import { requestBytes } from './request-bytes.ts'
import { guarded, sendAccepted } from './respond.ts'
import { factsOf, type MessageFacts, type RevisionError, versionFault } from './revision.ts'
import { sendError, sendRevisionError } from './send-error.ts'
import type { SessionRequests } from './session-requests.ts'
import type { ShortCalls } from './short-calls.ts'

/** Ways in which messages are answered. */
interface Ways {
  readonly calls: ShortCalls
  readonly exchanges: ExchangeRequests
  readonly sessions: SessionRequests
  readonly aggregate: AggregateRequests
  readonly fromCatalog: FromCatalog
}

type Note = Extract<RpcMessage, { kind: 'notification' | 'response' }>

/** A response has no revision of its own: only clients of the 2025 era send one. */
const RESPONSE: MessageFacts = { era: '2025', name: undefined }

/** Counts the messages of callers, and decides how each is answered. */
export class Messages {
  readonly #ways: Ways
  readonly #firstStart: FirstStart
  readonly #log: SecurityLog

  constructor(ways: Ways, firstStart: FirstStart, log: SecurityLog) {
    this.#ways = ways
    this.#firstStart = firstStart
    this.#log = log
  }

  /** Answers a message that is a whole body. Every message except a call counts as one. */
  answer(context: MessageContext, message: RpcMessage): void | Promise<void> {
    if (message.kind === 'request' && message.method === 'tools/call') return this.#call(context, message)
    const spent = context.open.spend(context.body.length)
    if (spent !== undefined) {
      const id = 'id' in message ? message.id : NULL_ID
      return this.#log.afterWritten(() => context.reply.refuse(id, denialError(spent)))
    }
    if (message.kind === 'request' || message.kind === 'invalid') return this.answerRequest(context, message)
    const { open, reply } = context
    const taken = this.take(context, message)
    if (taken === 'accepted') return sendAccepted(open.response)
    if (taken instanceof BridgeError) return reply.refuse(NULL_ID, taken)
    if (taken !== 'for-session') return reply.error(NULL_ID, errorJson(taken.rpcError), taken.httpStatus)
    this.forward(context, undefined, (error) => {
      if (error === undefined) sendAccepted(open.response)
      else reply.refuse(NULL_ID, error)
    })
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
    const { aggregate, fromCatalog, exchanges } = this.#ways
    const answer = (): void | Promise<void> => {
      if (view.isAggregate) return aggregate.answer(context, message, facts)
      const server = view.exchangeServer
      return server === undefined
        ? fromCatalog.answer(context, message, facts.era)
        : exchanges.answer(context, message, facts, server)
    }
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
    if (!open.isGone) await answer()
  }

  /** Accepts a notification or a response, unless the MCP session must get it. @returns the refusal, if any */
  take(context: NoteContext, message: Note): 'accepted' | 'for-session' | RevisionError | BridgeError {
    const { body, open } = context
    const facts =
      message.kind === 'response'
        ? (versionFault(context.request.headers) ?? RESPONSE)
        : factsOf(context, message)
    if (facts instanceof BridgeError) return 'accepted'
    if (!('era' in facts)) return facts
    if (facts.era === '2025') {
      const unknown = this.#ways.sessions.refusal(context.request, open)
      const refusal = unknown ?? (message.kind === 'response' ? lostResponse(context) : undefined)
      if (refusal !== undefined) return refusal
      if (isForSession(context, message)) return 'for-session'
    }
    if (message.kind === 'response' || message.method !== 'notifications/cancelled') return 'accepted'
    const members = readParams(body, message.params, ['requestId'])
    const requestId = members instanceof BridgeError ? undefined : bytesAt(body, members[0])
    if (requestId !== undefined) cancelCall(open, requestId)
    return 'accepted'
  }

  /**
   * Sends notes to the MCP session, together.
   * @param spans their positions in a batch
   * @param done receives the error if they are refused, unless the caller is gone by then
   */
  forward(
    context: NoteContext,
    spans: readonly Span[] | undefined,
    done: (error: BridgeError | undefined) => void,
  ): void {
    const { open, view } = context
    this.#ways.sessions.notes(context, view.sessionServers(), spans, (error) =>
      guarded(open.response, () => {
        if (!open.isGone) done(error)
      }),
    )
  }

  #call(context: MessageContext, message: RpcRequest): void {
    const { body, open, reply } = context
    const call = readCallParams(body, message.params)
    const facts = call instanceof BridgeError ? call : factsOf(context, message, call)
    if (call instanceof BridgeError || !('era' in facts)) {
      open.charge(body.length)
      return sendRevisionError(reply, message.id, facts as RevisionError | BridgeError)
    }
    const target = isShort(context, call, facts) ? undefined : context.view.exchangeTool(call.toolName)
    if (target === undefined) return this.#callShort(context, message.id, call, facts)
    const { serverName, toolName } = target
    const whole = requestBytes(context, message)
    const sent = toolName === call.toolName ? whole : renamed(whole, ['name'], toolName)
    this.#ways.exchanges.answer(context, message, { ...facts, name: toolName }, serverName, sent)
  }

  /** Runs a call that reaches no session of a machine, such as one of the status tool. */
  #callShort(context: MessageContext, id: RawJson, call: CallParams, { era }: MessageFacts): void {
    const { request, open, reply, body } = context
    const unknown = era === '2025' ? this.#ways.sessions.refusal(request, open) : undefined
    if (unknown === undefined) return this.#ways.calls.run(context, id, call, era)
    open.charge(body.length)
    sendError(reply, id, unknown)
  }
}

function isInitialized(message: Note): boolean {
  return message.kind === 'notification' && message.method === 'notifications/initialized'
}

/** Whether the MCP session of the request gets the note. At /mcp, each machine joins a session when it needs it. */
function isForSession({ view, request }: NoteContext, note: Note): boolean {
  return view.hasSessions && hasSession(request.headers) && !(view.isAggregate && isInitialized(note))
}

/** [SESS.8] Why a response in a session reaches no server: the machine that asked is not connected. */
function lostResponse({ view, request }: NoteContext): BridgeError | undefined {
  if (!hasSession(request.headers) || view.sessionServers().length > 0) return undefined
  return view.isAggregate ? new BridgeError('agent_offline') : view.absence()
}

/**
 * Whether a call needs only its arguments and its result: most calls. The short form carries only names that a catalog
 * can have.
 */
function isShort(
  { request: { headers } }: NoteContext,
  { toolName, rawMeta, hasOthers }: CallParams,
  { era }: MessageFacts,
): boolean {
  if (era === '2026' || hasOthers || hasSession(headers) || !isName(toolName)) return false
  return rawMeta === undefined || pickMembers(rawMeta, ['progressToken'])?.[0] === undefined
}
