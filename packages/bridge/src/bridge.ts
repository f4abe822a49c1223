import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { AGENT_PATH, BridgeError, type ErrorCode } from '@bridgekeeper/protocol'
import type { Admission } from './admission/admission.ts'
import { type CallOptions, callTool, type ListedTool, listTools } from './app-calls.ts'
import { assemble } from './assemble.ts'
import { attachTo } from './attach.ts'
import type { BridgeEventName, BridgeListener } from './bridge-events.ts'
import type { BridgeOptions, BridgeStores } from './bridge-options.ts'
import type { ToolResult } from './calls/result.ts'
import { letPagesRead } from './cors.ts'
import { deviceEndpoint } from './device-endpoint.ts'
import { canonicalTarget, pathOf, rewriteTarget } from './gates/canonical-path.ts'
import { deny } from './gates/verdict.ts'
import type { RateLimiter, RateLimitStatus } from './limiters/rate-limit.ts'
import { mcpPath } from './northbound/endpoint.ts'
import { answerHeaders, sendRefusal } from './northbound/respond.ts'
import type { Revocation } from './ports/sessions.ts'
import type { FrontDoor, System } from './ports.ts'
import { refuseWithHttp } from './southbound/refuse.ts'
import { realSystem } from './system.ts'

/** A running bridge, to be attached to an HTTP server of yours. */
export interface Bridge {
  /**
   * Serves the bridge's paths on this server. Requests for other paths go to the listeners that the
   * server had before; without any, they get 404.
   */
  attach(server: HttpServer): void
  /**
   * Calls a tool on the user's machine.
   * @returns the tool's result, also if the tool reports an error (`isError`)
   * @throws BridgeError with a stable `code` if there is no result; the tool may have run, for example after
   * `call_timeout`
   * @throws ToolError if the local server answered with a JSON-RPC error
   */
  callTool(
    userId: string,
    server: string,
    tool: string,
    args?: Readonly<Record<string, unknown>>,
    options?: CallOptions,
  ): Promise<ToolResult>
  /** Admits visitors of your own login pages, and counts their failures like those of the bridge. */
  readonly frontDoor: FrontDoor
  /** Resolves once the contents of the stores are loaded; rejects if they cannot be read. */
  ready(): Promise<void>
  /**
   * Listens to `agent-connected`, `agent-disconnected` or `tools-changed`. The listener runs in a later turn; if it
   * throws or rejects, the process emits a warning and the bridge runs on.
   * @returns removes the listener
   */
  on<Name extends BridgeEventName>(name: Name, listener: BridgeListener<Name>): () => void
  /** Lists the tools of the user's connected agents. */
  listTools(userId: string): readonly ListedTool[]
  /** The user's state at the rate limit; counts nothing. */
  getRateLimitStatus(userId: string): RateLimitStatus
  /** Lifts the user's block and clears the window. */
  resetRateLimit(userId: string): Promise<void>
  /**
   * Ends all connections, requests and calls of a user, session or device, synchronously: no result is
   * delivered afterwards. Call it at logout, or when access ends. Rejects if other nodes cannot be notified;
   * on this node everything has ended by then.
   */
  revoke(revocation: Revocation): Promise<void>
  /** Accepts no new requests, lets calls end within the limit, and closes every connection. */
  close(limitMs?: number): Promise<void>
}

const DEFAULT_CLOSE_MS = 10_000

/**
 * Creates a bridge. It handles no requests until it is attached. @throws TypeError if an option is invalid
 */
export function createBridge(options: BridgeOptions): Bridge {
  const system = options.system ?? realSystem()
  const parts = assemble(options, system)
  const { admission, agents, mcp, metadata, router, dispatcher, limiter, blocks, callTimes } = parts
  const { revoker, log, origins, names } = parts
  let state: 'starting' | 'serving' | 'draining' = 'starting'
  revoker.start()
  const started = Promise.all([blocks.start(), callTimes.start()]).then(() => {
    if (state === 'starting') state = 'serving'
  })
  // Until `ready()` resolves, every request is refused: without its blocks the bridge admits nobody.
  started.catch(() => {})

  function obstacle(): ErrorCode | undefined {
    if (state === 'draining') return 'shutting_down'
    return state === 'starting' ? 'internal_error' : undefined
  }

  function readiness(): string {
    if (state !== 'serving') return state
    if (revoker.isBlind) return 'revocations_unavailable'
    return log.writable ? 'ready' : 'log_unavailable'
  }

  const frontDoor = frontDoorOf(admission, obstacle)
  const enrolment = deviceEndpoint(options, parts, frontDoor, system)

  function onRequest(request: IncomingMessage, response: ServerResponse, pathname: string): boolean {
    const path = mcpPath(pathname)
    if (path !== undefined && letPagesRead(request, response, origins)) return true
    const refusal = obstacle()
    if (path !== undefined && refusal !== undefined) sendRefusal(response, deny(refusal))
    else if (path !== undefined) mcp.handle(request, response, path)
    else if (metadata?.handle(request, response, pathname)) return true
    else if (enrolment?.handle(request, response, pathname)) return true
    else if (pathname === AGENT_PATH) agents.explain(response)
    else if (pathname === '/healthz') sendStatus(response, 200, 'ok')
    else if (pathname === '/readyz') sendStatus(response, readiness() === 'ready' ? 200 : 503, readiness())
    else return false
    return true
  }

  function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    // Agents sign the path that they dial, so only this spelling is accepted.
    if (pathOf(request.url) !== AGENT_PATH) return false
    if (state === 'starting') refuseUpgrade(socket, 'internal_error')
    else void agents.upgrade(request, socket, head)
    return true
  }

  function attach(server: HttpServer): void {
    attachTo(server, {
      request: canonically(onRequest),
      upgrade: onUpgrade,
      unclaimedRequest: (response) => sendRefusal(response, deny('not_found')),
      unclaimedUpgrade: (socket) => refuseUpgrade(socket, 'not_found'),
    })
  }

  async function call(
    userId: string,
    serverName: string,
    toolName: string,
    args: Readonly<Record<string, unknown>> = {},
    { signal }: CallOptions = {},
  ): Promise<ToolResult> {
    if (state === 'starting')
      throw new BridgeError('internal_error', 'It has not read its stores yet: wait for `ready()`.')
    return callTool(dispatcher, userId, { serverName, toolName }, args, signal)
  }

  async function close(limitMs = DEFAULT_CLOSE_MS): Promise<void> {
    state = 'draining'
    agents.refuseNew()
    await atMost(limitMs, router.drain(), system)
    agents.closeAll()
    revoker.close()
    blocks.close()
    await callTimes.close()
  }

  return {
    attach,
    frontDoor,
    ready: () => started,
    callTool: call,
    on: (name, listener) => parts.events.on(name, listener),
    listTools: (userId) => listTools(router, names, userId),
    getRateLimitStatus: (userId) => limiter.getRateLimitStatus(userId, system.monotonicMs()),
    resetRateLimit: (userId) => resetRateLimit(limiter, options.stores, userId),
    revoke: (revocation) => revoker.revoke(revocation),
    close,
  }
}

async function resetRateLimit(
  limiter: RateLimiter,
  stores: BridgeStores | undefined,
  userId: string,
): Promise<void> {
  limiter.resetRateLimit(userId)
  await stores?.blocks?.remove({ kind: 'calls', key: userId })
  await stores?.callTimes?.forget(userId)
}

function frontDoorOf(admission: Admission, obstacle: () => ErrorCode | undefined): FrontDoor {
  return {
    enter(request) {
      const refusal = obstacle()
      return refusal === undefined ? admission.admitVisitor(request) : deny(refusal)
    },
    beginCheck: (address) => admission.beginCheck(address),
    failed: (address) => admission.visitorFailed(address),
  }
}

/** Waits for the promise, but at most for the limit. */
async function atMost(limitMs: number, done: Promise<void>, system: System): Promise<void> {
  let cancel = (): void => {}
  const limit = new Promise<void>((resolve) => {
    cancel = system.after(limitMs, resolve)
  })
  await Promise.race([done, limit])
  cancel()
}

/**
 * Passes each request to the handler in its canonical spelling; restores the original for requests that it
 * does not answer.
 */
function canonically(
  handle: (request: IncomingMessage, response: ServerResponse, pathname: string) => boolean,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    const received = request.url
    const target = canonicalTarget(received ?? '', request.headers.host)
    if (target === undefined) return false
    rewriteTarget(request, target)
    if (handle(request, response, target.path)) return true
    request.url = received
    return false
  }
}

function refuseUpgrade(socket: Duplex, code: ErrorCode): void {
  socket.on('error', () => socket.destroy())
  refuseWithHttp(socket, deny(code))
}

function sendStatus(response: ServerResponse, httpStatus: number, status: string): void {
  const body = JSON.stringify({ status })
  response.writeHead(httpStatus, { 'content-type': 'application/json', ...answerHeaders }).end(body)
}
