import { isUtf8 } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  BridgeError,
  isJson,
  isObject,
  limits,
  parseJson,
  type RawJson,
  unreachable,
} from '@bridgekeeper/protocol'
import { SERVER_INFO_META_KEY } from '@modelcontextprotocol/server'
import type { Admission, AdmittedCaller } from '../admission/admission.ts'
import { type CallOutcome, isRefusal, REFUSALS } from '../calls/outcome.ts'
import { MESSAGE_ALLOWANCE, unitsOf } from '../gates/allowance.ts'
import { callScope } from '../gates/call-authority.ts'
import { type Denied, deny, type Verdict } from '../gates/verdict.ts'
import type { SecurityLog, System } from '../ports.ts'
import type { Dispatcher } from '../router/dispatcher.ts'
import type { Router } from '../router/router.ts'
import { bodyBoundBytes, readBody } from './body.ts'
import { CallerLoads } from './caller-loads.ts'
import { OpenRequest } from './open-request.ts'
import type { ResourceMetadata } from './resource-metadata.ts'
import { answerHeaders, sendCallRefusal, sendList, sendRefusal, sendRpc } from './respond.ts'
import { toRpcError } from './rpc-error.ts'
import { serveBySdk } from './sdk-path.ts'
import {
  type Era,
  readToolCall,
  readToolList,
  type ToolCallRequest,
  type ToolListRequest,
} from './tool-call.ts'
import type { ToolAddress } from './tool-names.ts'
import { resultFor } from './tool-result.ts'
import { AllServersView, OneServerView, type ToolView } from './tool-view.ts'

const ALL = '/mcp'
const ONE = '/mcp/'

/** `/mcp`, or `/mcp/{server}`. */
export interface McpPath {
  readonly serverName?: string
}

/** Which of the MCP paths this is; `undefined` when it is none. */
export function mcpPath(pathname: string): McpPath | undefined {
  if (pathname === ALL) return {}
  if (!pathname.startsWith(ONE)) return undefined
  const encoded = pathname.slice(ONE.length)
  if (encoded === '' || encoded.includes('/')) return undefined
  if (!encoded.includes('%')) return { serverName: encoded }
  try {
    return { serverName: decodeURIComponent(encoded) }
  } catch {
    return undefined
  }
}

/** Messages of one JSON-RPC batch. */
export const MAX_BATCH = 32
/** What a parsed body takes, in its own size: an empty object of two characters is one of 56 bytes. */
const PARSED_WEIGHT = 16

/**
 * MCP over Streamable HTTP for callers. A plain `tools/call` or `tools/list` takes the lean path, from bytes to
 * bytes; everything else goes to the SDK's server.
 */
export class McpEndpoint {
  readonly #admission: Admission
  readonly #router: Router
  readonly #dispatcher: Dispatcher
  readonly #log: SecurityLog
  readonly #metadata: ResourceMetadata | undefined
  readonly #loads: CallerLoads

  /** @param metadata where clients learn who gives tokens, if anybody does */
  constructor(
    admission: Admission,
    router: Router,
    dispatcher: Dispatcher,
    log: SecurityLog,
    metadata: ResourceMetadata | undefined,
    system: System,
  ) {
    this.#admission = admission
    this.#router = router
    this.#dispatcher = dispatcher
    this.#log = log
    this.#metadata = metadata
    this.#loads = new CallerLoads(log, system)
  }

  /** Answers the request, whatever happens. Never throws. Waits for nothing by promises where it need not. */
  handle(request: IncomingMessage, response: ServerResponse, path: McpPath): void {
    guarded(response, () => {
      const verdict = this.#admission.admitCaller(request)
      if (!(verdict instanceof Promise)) return this.#admitted(request, response, path, verdict)
      return verdict.then((late) => this.#admitted(request, response, path, late))
    })
  }

  #admitted(
    request: IncomingMessage,
    response: ServerResponse,
    path: McpPath,
    admitted: Verdict<AdmittedCaller>,
  ): void {
    if (!admitted.allowed) {
      const challenge = { metadataUrl: this.#metadataUrl(request, path) }
      return this.#log.afterWritten(() => sendRefusal(response, admitted, challenge))
    }
    const caller = admitted.value
    const open = new OpenRequest(response, caller, this.#loads, this.#log)
    const refused =
      open.open() ?? (request.method === 'POST' ? open.hold(bodyBoundBytes(request)) : open.spend(1))
    if (refused !== undefined) return this.#log.afterWritten(() => sendRefusal(response, refused))
    if (request.method !== 'POST') return sendMethodRefusal(response)
    const view =
      path.serverName === undefined
        ? new AllServersView(this.#router, caller)
        : new OneServerView(this.#router, caller, path.serverName)
    readBody(request, (body) => guarded(response, () => this.#read(request, open, view, body)))
  }

  #read(
    request: IncomingMessage,
    open: OpenRequest,
    view: ToolView,
    body: Buffer | undefined,
  ): void | Promise<void> {
    const { response } = open
    if (open.hasEnded) return
    if (body === undefined) {
      open.charge(limits.messageBytes)
      return sendRefusal(response, deny('body_too_large'))
    }
    // What is forwarded as bytes must be text to the WebSocket that carries it.
    if (!isUtf8(body)) return refuseUnreadable(open, body)
    const call = readToolCall(request.headers, body)
    if (call !== undefined) return this.#callLean(open, view, call, body.length)
    const spent = open.spend(unitsOf(body.length, MESSAGE_ALLOWANCE))
    if (spent !== undefined) return this.#log.afterWritten(() => sendRefusal(response, spent))
    const list = readToolList(request.headers, body)
    if (list !== undefined) return this.#listLean(open, view, list)
    const parsed = isJson(body) ? parseJson(body.toString('utf8')) : undefined
    if (parsed === undefined) return sendParseError(response)
    const refused = batchRefusal(open, parsed.value) ?? open.hold(body.length * PARSED_WEIGHT)
    if (refused !== undefined) return this.#log.afterWritten(() => sendRefusal(response, refused))
    return this.#readForSdk(request, open, view, parsed.value)
  }

  async #readForSdk(
    request: IncomingMessage,
    open: OpenRequest,
    view: ToolView,
    body: unknown,
  ): Promise<void> {
    const { response, caller } = open
    const obstacle = isToolCall(body) ? await this.#dispatcher.obstacle(caller) : undefined
    if (open.hasEnded) return
    if (obstacle !== undefined)
      return this.#log.afterWritten(() => sendCallRefusal(response, idOf(body), obstacle))
    return serveBySdk(request, open, view, this.#dispatcher, body)
  }

  /** [LOAD.3] Answers with the text that is kept with the catalog. */
  #listLean(open: OpenRequest, view: ToolView, { id, era }: ToolListRequest): void {
    const { response } = open
    try {
      sendList(response, id, view.listJson(), listMembers(era, view))
      open.sent()
    } catch (error) {
      if (!(error instanceof BridgeError)) throw error
      sendError(response, id, error)
    }
  }

  #callLean(open: OpenRequest, view: ToolView, call: ToolCallRequest, bodyBytes: number): void {
    const { response } = open
    const address = view.address(call.toolName)
    if (address instanceof BridgeError) {
      open.charge(bodyBytes)
      return sendError(response, call.id, address)
    }
    const { serverName, toolName } = address
    const settle = (outcome: CallOutcome): void =>
      guarded(response, () => {
        if (open.hasEnded) return
        // [LOAD.4] What no rate limit of calls counted costs all the same.
        if (isRefusal(outcome)) open.charge(bodyBytes)
        if (lacksScope(outcome)) this.#askForScope(response, call.id, outcome.error, address)
        else sendOutcome(response, view, call, outcome)
        open.sent()
      })
    const { rawArgs, bounded } = call
    open.onEnd(this.#dispatcher.call(open.caller, { serverName, toolName, rawArgs, bounded }, settle))
  }

  /** [RS.6] Says which scope a client has to ask for to make this very call. */
  #askForScope(response: ServerResponse, id: RawJson, error: BridgeError, address: ToolAddress): void {
    const { req: request } = response
    const path = mcpPath(request.url?.split('?')[0] ?? '') ?? {}
    const neededScope = callScope(address.serverName, address.toolName)
    sendCallRefusal(response, id, error, { metadataUrl: this.#metadataUrl(request, path), neededScope })
  }

  #metadataUrl({ headers }: IncomingMessage, { serverName }: McpPath): string | undefined {
    const path = serverName === undefined ? ALL : ONE + encodeURIComponent(serverName)
    return this.#metadata?.urlFor(headers.host, path)
  }
}

/** What goes wrong with one request must end neither the process nor what called back for it. */
function guarded(response: ServerResponse, act: () => void | Promise<void>): void {
  const fail = (): void => {
    // An answer that is whole is one, whatever fails after it.
    if (response.writableEnded) return
    if (response.headersSent) response.destroy()
    else sendRefusal(response, deny('internal_error'))
  }
  try {
    act()?.catch(fail)
  } catch {
    fail()
  }
}

function lacksScope(outcome: CallOutcome): outcome is Extract<CallOutcome, { kind: 'failed' }> {
  return outcome.kind === 'failed' && outcome.error.code === 'scope_insufficient'
}

function sendOutcome(
  response: ServerResponse,
  view: ToolView,
  { id, era }: ToolCallRequest,
  outcome: CallOutcome,
): void {
  if (response.destroyed) return
  switch (outcome.kind) {
    case 'result': {
      const result = resultFor(era, outcome.result, () => view.identity())
      if (result === undefined) return sendError(response, id, new BridgeError('result_invalid'))
      return sendRpc(response, id, 'result', result)
    }
    case 'rpc-error':
      return sendRpc(response, id, 'error', outcome.rpcError)
    case 'failed':
      return sendError(response, id, outcome.error)
    default:
      return unreachable(outcome)
  }
}

function sendError(response: ServerResponse, id: RawJson, error: BridgeError): void {
  if (REFUSALS.has(error.code)) sendCallRefusal(response, id, error)
  else sendRpc(response, id, 'error', Buffer.from(JSON.stringify(toRpcError(error))))
}

/** [LOAD.5] Counts the messages of a batch one by one. @returns why it is refused */
function batchRefusal(open: OpenRequest, body: unknown): Denied | undefined {
  if (!Array.isArray(body)) return undefined
  if (body.length > MAX_BATCH) return deny('batch_too_large')
  return body.length > 1 ? open.spend(body.length - 1) : undefined
}

/** What a list's result has besides its tools. Neither revision needs more than the SDK's server gives. */
function listMembers(era: Era, view: ToolView): string {
  if (era === 'legacy') return '}'
  const _meta = { [SERVER_INFO_META_KEY]: view.identity().serverInfo }
  return `,"resultType":"complete","ttlMs":0,"cacheScope":"private","_meta":${JSON.stringify(_meta)}}`
}

function isToolCall(body: unknown): boolean {
  return isObject(body) && body.method === 'tools/call'
}

function idOf(body: unknown): RawJson {
  const id = isObject(body) && (typeof body.id === 'string' || typeof body.id === 'number') ? body.id : null
  return Buffer.from(JSON.stringify(id))
}

function refuseUnreadable(open: OpenRequest, body: Buffer): void {
  open.charge(body.length)
  sendParseError(open.response)
}

/** No session, and so no stream and nothing to end. RFC 9110 section 15.5.6 */
function sendMethodRefusal(response: ServerResponse): void {
  response.setHeader('allow', 'POST')
  sendRefusal(response, deny('method_not_allowed'))
}

/** JSON-RPC 2.0 section 5.1, with the status that the Streamable HTTP transport gives it. */
function sendParseError(response: ServerResponse): void {
  const body = '{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error: Invalid JSON"},"id":null}'
  response
    .writeHead(400, { 'content-type': 'application/json', 'content-length': body.length, ...answerHeaders })
    .end(body)
}
