import { BridgeError, type Era, parseJson, type RawJson } from '@bridgekeeper/protocol'
import { denialError } from '../gates/verdict.ts'
import type { SecurityLog } from '../ports.ts'
import { discoverResult, initializeResult, listMembers } from './discovery.ts'
import type { McpSessions } from './mcp-session.ts'
import { type RpcRequest, readListParams } from './message.ts'
import type { MessageContext } from './message-context.ts'
import { sendError } from './send-error.ts'

/** Memory of parsed JSON relative to its text: an empty object of two characters uses 56 bytes. */
const PARSED_WEIGHT = 16
const NO_METHOD = Buffer.from('{"code":-32601,"message":"Method not found"}')
const EMPTY_RESULT = Buffer.from('{}')

/** Answers requests from the catalog, for local servers that get only calls, and for those that are not ready. */
export class FromCatalog {
  readonly #log: SecurityLog
  readonly #sessions: McpSessions

  constructor(log: SecurityLog, sessions: McpSessions) {
    this.#log = log
    this.#sessions = sessions
  }

  /** Answers a request that is not a call. */
  answer(context: MessageContext, message: RpcRequest, era: Era): void | Promise<void> {
    const { request, open, reply } = context
    const mayHaveSession = era === '2025' && message.method !== 'initialize'
    // [SESS.7] Also at a server whose machine is away.
    const unknown = mayHaveSession ? this.#sessions.refusal(request.headers, open.caller) : undefined
    if (unknown !== undefined) return sendError(reply, message.id, unknown)
    if (message.method === 'tools/list') return list(context, message, era)
    return era === '2025' ? this.#answer2025(context, message) : this.#answer2026(context, message)
  }

  #answer2025(context: MessageContext, { id, method, params }: RpcRequest): void {
    const { open, body, view, reply } = context
    if (method === 'ping') return reply.result(id, EMPTY_RESULT)
    if (method !== 'initialize') return refuseMethod(context, id)
    const result = initializeResult(body, params, view)
    if (result instanceof BridgeError) return sendError(reply, id, result)
    // [AGG.1] The machine of a server that sleeps joins the session when it is awake.
    const isAsleep = view.serverIdentity().capabilities !== undefined
    const begun = isAsleep ? this.#sessions.begin(open.caller, body, params) : undefined
    if (begun instanceof BridgeError) return sendError(reply, id, begun)
    if (begun !== undefined) open.response.setHeader('mcp-session-id', begun.header)
    reply.result(id, result)
  }

  #answer2026(context: MessageContext, { id, method }: RpcRequest): void | Promise<void> {
    const { view, reply } = context
    if (method === 'server/discover') return reply.result(id, discoverResult(view))
    if (method === 'subscriptions/listen') return this.#listen(context, id)
    return refuseMethod(context, id, 404)
  }

  async #listen({ request, open, view, body, reply }: MessageContext, id: RawJson): Promise<void> {
    const parsed = parseJson(body.toString('utf8'))?.value
    if (!isSdkId(id)) {
      const detail = '"id" of a subscription must be a string or an integer below 2^53.'
      return sendError(reply, id, new BridgeError('request_invalid', detail))
    }
    const refused = open.stand() ?? open.hold(body.length * PARSED_WEIGHT)
    if (refused !== undefined) return this.#log.afterWritten(() => reply.refuse(id, denialError(refused)))
    // Loaded on first use: the SDK's server for HTTP takes a tenth of the time in which a node starts.
    const { serveBySdk } = await import('./sdk-path.ts')
    if (open.isGone) return
    await serveBySdk(request, open, view, parsed)
  }
}

/** [LOAD.3] Answers with the cached text of the catalog. */
function list({ body, view, reply, open }: MessageContext, { id, params }: RpcRequest, era: Era): void {
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

/** The local server may have the method, if only it were ready. */
function refuseMethod({ view, reply }: MessageContext, id: RawJson, httpStatus?: number): void {
  const absence = view.absence()
  if (absence === undefined) reply.error(id, NO_METHOD, httpStatus)
  else sendError(reply, id, absence)
}

/** Whether the SDK keeps the id unchanged. */
function isSdkId(id: RawJson): boolean {
  const value = parseJson(id.toString('utf8'))?.value
  return typeof value === 'string' || Number.isSafeInteger(value)
}
