import { isUtf8 } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  BridgeError,
  isBoundedJson,
  isObject,
  parseJson,
  type RawJson,
  unreachable,
} from '@bridgekeeper/protocol'
import { type NodeIncomingMessageLike, toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler } from '@modelcontextprotocol/server'
import type { Admission, AdmittedCaller } from '../admission/admission.ts'
import { type CallOutcome, failed } from '../calls/outcome.ts'
import { callScope } from '../gates/call-authority.ts'
import { deny, type Verdict } from '../gates/verdict.ts'
import type { Caller, SecurityLog } from '../ports.ts'
import type { Dispatcher } from '../router/dispatcher.ts'
import type { Router } from '../router/router.ts'
import { readBody } from './body.ts'
import { createMcpServer, type RunCall } from './mcp-server.ts'
import { OpenRequest } from './open-request.ts'
import type { ResourceMetadata } from './resource-metadata.ts'
import { answerHeaders, HTTP_REFUSALS, sendCallRefusal, sendRefusal, sendRpc } from './respond.ts'
import { toRpcError } from './rpc-error.ts'
import { readToolCall, type ToolCallRequest } from './tool-call.ts'
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

/**
 * MCP over Streamable HTTP for callers. A plain `tools/call` takes the lean path, from bytes to
 * bytes; everything else goes to the SDK's server.
 */
export class McpEndpoint {
  readonly #admission: Admission
  readonly #router: Router
  readonly #dispatcher: Dispatcher
  readonly #log: SecurityLog
  readonly #metadata: ResourceMetadata | undefined

  /** @param metadata where clients learn who gives tokens, if anybody does */
  constructor(
    admission: Admission,
    router: Router,
    dispatcher: Dispatcher,
    log: SecurityLog,
    metadata: ResourceMetadata | undefined,
  ) {
    this.#admission = admission
    this.#router = router
    this.#dispatcher = dispatcher
    this.#log = log
    this.#metadata = metadata
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
  ): void | Promise<void> {
    if (!admitted.allowed) {
      const challenge = { metadataUrl: this.#metadataUrl(path) }
      return this.#log.afterWritten(() => sendRefusal(response, admitted, challenge))
    }
    const caller = admitted.value
    const open = new OpenRequest(response, this.#log)
    if (!open.openAt(caller.login)) return sendRefusal(response, deny('login_revoked'))
    const view =
      path.serverName === undefined
        ? new AllServersView(this.#router, caller)
        : new OneServerView(this.#router, caller, path.serverName)
    if (request.method !== 'POST') return this.#serveBySdk(request, open, view, caller, undefined)
    readBody(request, (body) => guarded(response, () => this.#read(request, open, view, caller, body)))
  }

  #read(
    request: IncomingMessage,
    open: OpenRequest,
    view: ToolView,
    caller: Caller,
    body: Buffer | undefined,
  ): void | Promise<void> {
    const { response } = open
    if (open.hasEnded) return
    if (body === undefined) return sendRefusal(response, deny('body_too_large'))
    // What is forwarded as bytes must be text to the WebSocket that carries it.
    if (!isUtf8(body)) return sendParseError(response)
    const call = readToolCall(request.headers, body)
    if (call !== undefined) return this.#callLean(open, view, caller, call)
    const parsed = isBoundedJson(body) ? parseJson(body.toString('utf8')) : undefined
    if (parsed === undefined) return sendParseError(response)
    return this.#readForSdk(request, open, view, caller, parsed.value)
  }

  async #readForSdk(
    request: IncomingMessage,
    open: OpenRequest,
    view: ToolView,
    caller: Caller,
    body: unknown,
  ): Promise<void> {
    const { response } = open
    const obstacle = isToolCall(body) ? await this.#dispatcher.obstacle(caller) : undefined
    if (open.hasEnded) return
    if (obstacle !== undefined)
      return this.#log.afterWritten(() => sendCallRefusal(response, idOf(body), obstacle))
    return this.#serveBySdk(request, open, view, caller, body)
  }

  #callLean(open: OpenRequest, view: ToolView, caller: Caller, call: ToolCallRequest): void {
    const { response } = open
    const address = view.address(call.toolName)
    if (address instanceof BridgeError) return sendError(response, call.id, address)
    const { serverName, toolName } = address
    const settle = (outcome: CallOutcome): void =>
      guarded(response, () => {
        if (open.hasEnded) return
        if (lacksScope(outcome)) this.#askForScope(response, call.id, outcome.error, address)
        else sendOutcome(response, view, call, outcome)
      })
    const { rawArgs, bounded } = call
    open.onEnd(this.#dispatcher.call(caller, { serverName, toolName, rawArgs, bounded }, settle))
  }

  /** [RS.6] Says which scope a client has to ask for to make this very call. */
  #askForScope(response: ServerResponse, id: RawJson, error: BridgeError, address: ToolAddress): void {
    const path = mcpPath(response.req.url?.split('?')[0] ?? '') ?? {}
    const neededScope = callScope(address.serverName, address.toolName)
    sendCallRefusal(response, id, error, { metadataUrl: this.#metadataUrl(path), neededScope })
  }

  #metadataUrl({ serverName }: McpPath): string | undefined {
    const path = serverName === undefined ? ALL : ONE + encodeURIComponent(serverName)
    return this.#metadata?.urlFor(path)
  }

  async #serveBySdk(
    request: IncomingMessage,
    open: OpenRequest,
    view: ToolView,
    caller: Caller,
    body: unknown,
  ): Promise<void> {
    const runCall: RunCall = async (address, rawArgs, signal) => {
      const outcome = await this.#dispatcher.run(caller, { ...address, rawArgs }, signal)
      return open.hasEnded ? failed(new BridgeError('login_revoked')) : outcome
    }
    const handler = createMcpHandler(() => createMcpServer(view, runCall))
    open.onEnd(() => void handler.close())
    await toNodeHandler(handler)(request as NodeIncomingMessageLike, open.response, body)
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
  if (HTTP_REFUSALS.has(error.code)) sendCallRefusal(response, id, error)
  else sendRpc(response, id, 'error', Buffer.from(JSON.stringify(toRpcError(error))))
}

function isToolCall(body: unknown): boolean {
  return isObject(body) && body.method === 'tools/call'
}

function idOf(body: unknown): RawJson {
  const id = isObject(body) && (typeof body.id === 'string' || typeof body.id === 'number') ? body.id : null
  return Buffer.from(JSON.stringify(id))
}

/** JSON-RPC 2.0 section 5.1, with the status that the Streamable HTTP transport gives it. */
function sendParseError(response: ServerResponse): void {
  const body = '{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error: Invalid JSON"},"id":null}'
  response
    .writeHead(400, { 'content-type': 'application/json', 'content-length': body.length, ...answerHeaders })
    .end(body)
}
