import type { IncomingHttpHeaders } from 'node:http'
import {
  BridgeError,
  type Era,
  type ExchangeSession,
  pickMembers,
  type RawJson,
} from '@bridgekeeper/protocol'
import { REFUSALS } from '../calls/outcome.ts'
import { callScope, judgedMethod, mayList, ruleOf } from '../gates/call-authority.ts'
import { denialError } from '../gates/verdict.ts'
import type { System } from '../ports.ts'
import type { Dispatcher } from '../router/dispatcher.ts'
import { failureResult } from './call-failure.ts'
import { filteredList } from './filtered-list.ts'
import type { McpSessions, NewSession } from './mcp-session.ts'
import { type RpcRequest, versionOf } from './message.ts'
import type { MessageContext } from './message-context.ts'
import { acceptsEvents } from './reply.ts'
import { requestBytes } from './request-bytes.ts'
import type { ResourceMetadata } from './resource-metadata.ts'
import type { MessageFacts } from './revision.ts'
import { sendError } from './send-error.ts'
import { type Events, StreamReply } from './stream-reply.ts'
import { resultFor, withContent } from './tool-result.ts'

/** The MCP session that a request belongs to, or begins. */
interface SessionUse {
  readonly session: ExchangeSession | undefined
  readonly begun?: NewSession
}

/** Requests whose answer comes at once, so that it need not be resumable. */
const BRIEF = /^ping$|\/list$/
/** First revision whose clients expect an event without data (MCP 2025-11-25, "transports"). */
const FIRST_PRIMED = '2025-11-25'
const PARAM = 'mcp-param-'

/** Opens an exchange for each request of a caller. */
export class ExchangeRequests {
  readonly #dispatcher: Dispatcher
  readonly #sessions: McpSessions
  readonly #metadata: ResourceMetadata | undefined
  readonly #system: System

  constructor(
    dispatcher: Dispatcher,
    sessions: McpSessions,
    metadata: ResourceMetadata | undefined,
    system: System,
  ) {
    this.#dispatcher = dispatcher
    this.#sessions = sessions
    this.#metadata = metadata
    this.#system = system
  }

  /** Answers a request by an exchange with this server. @param sent the message for the server, if it differs */
  answer(
    context: MessageContext,
    message: RpcRequest,
    { era, name }: MessageFacts,
    serverName: string,
    sent: RawJson = requestBytes(context, message),
  ): void {
    const { open, reply, at, request } = context
    const { headers } = request
    const { id, method } = message
    const use = era === '2025' ? this.#sessionUse(context, message) : { session: undefined }
    if (use instanceof BridgeError) return sendError(reply, id, use)
    const standing = method === 'subscriptions/listen' ? open.stand() : undefined
    if (standing !== undefined) return reply.refuse(id, denialError(standing))
    const { session, begun } = use
    const isFiltered = method === 'tools/list' && open.caller.scopes !== undefined
    // A list that was filtered could be read on without the filter.
    const outlives = session !== undefined && begun === undefined && !isFiltered
    const streams = at === undefined && begun === undefined && acceptsEvents(headers)
    const version = versionOf(headers)
    const plan = {
      id,
      outlives,
      events: streams ? eventsOf(outlives, method, version) : ('none' as const),
      edit: isFiltered ? (answer: RawJson) => filtered(context, serverName, answer) : undefined,
      complete: method === 'tools/call' ? withContent : undefined,
      ...(begun !== undefined && {
        answered: (status: number, answer: RawJson) => confirm(context, begun, status, answer),
      }),
      resultOf:
        method === 'tools/call'
          ? (error: BridgeError) => failedCall(context, serverName, era, error)
          : undefined,
      refuse: (error: BridgeError) => this.refuse(context, message, { serverName, name }, error),
    }
    const reader = new StreamReply(open, reply, plan, this.#system)
    const opening = {
      ...{ serverName, kind: 'request' as const, era, method, name, version, session, streams },
      ...(era === '2026' && { params: paramsOf(headers) }),
      message: sent,
    }
    reader.follow(this.#dispatcher.open(open.caller, opening, reader))
  }

  /** [SESS.3] Only `initialize` begins a session. */
  #sessionUse(
    { request: { headers }, open: { caller }, body }: MessageContext,
    { method, params }: RpcRequest,
  ): SessionUse | BridgeError {
    if (method !== 'initialize') {
      const session = this.#sessions.find(headers, caller)
      return session instanceof BridgeError ? session : { session }
    }
    const begun = this.#sessions.begin(caller, body, params)
    return begun instanceof BridgeError ? begun : { session: begun.session, begun }
  }

  /** Refuses a request. [RS.6] If a scope is missing, the client learns which, and where to get it. */
  refuse(
    context: MessageContext,
    message: RpcRequest,
    { serverName, name }: { readonly serverName: string; readonly name: string | undefined },
    error: BridgeError,
  ): void {
    const { open, request, reply, body } = context
    const { id, method } = message
    const isCall = method === 'tools/call'
    // [LOAD.4] Charges calls that no rate limit counted.
    if (isCall && REFUSALS.has(error.code)) open.charge(body.length)
    if (error.code !== 'scope_insufficient') return sendError(reply, id, error)
    const judged = judgedMethod(method, requestBytes(context, message)) ?? method
    const neededScope = scopeFor(judged, serverName, name)
    reply.refuse(id, error, { metadataUrl: this.#metadata?.urlFor(request), neededScope })
  }
}

/** [AGG.4] */
function failedCall(
  { view }: MessageContext,
  serverName: string,
  era: Era,
  error: BridgeError,
): RawJson | undefined {
  const result = failureResult(view.explain(error, serverName))
  return result && resultFor(era, result, () => view.serverIdentity())
}

/** [RS.6] The one scope that a client must request, if one is enough. */
function scopeFor(method: string, serverName: string, name: string | undefined): string | undefined {
  const { needs } = ruleOf(method)
  if (needs === 'tool') return callScope(serverName, name ?? '')
  return needs === 'any' || needs === 'all' ? undefined : needs
}

function eventsOf(outlives: boolean, method: string, version: string | undefined): Events {
  if (!outlives) return 'plain'
  return version !== undefined && version >= FIRST_PRIMED && !BRIEF.test(method) ? 'primed' : 'numbered'
}

/** Headers `Mcp-Param-*` by the rest of their name. */
function paramsOf(headers: IncomingHttpHeaders): Record<string, string> {
  const params = Object.entries(headers).filter(([name]) => name.startsWith(PARAM))
  return Object.fromEntries(params.map(([name, value]) => [name.slice(PARAM.length), String(value)]))
}

function filtered({ open }: MessageContext, serverName: string, answer: RawJson): RawJson | undefined {
  return filteredList(answer, (toolName) => mayList(open.caller.scopes, serverName, toolName))
}

/** Tells the client its session, which an error does not begin. */
function confirm({ open }: MessageContext, begun: NewSession, status: number, answer: RawJson): void {
  if (status !== 200 || pickMembers(answer, ['error'])?.[0] !== undefined) return
  open.response.setHeader('mcp-session-id', begun.header)
}
