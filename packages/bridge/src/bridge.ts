import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { AGENT_PATH, BridgeError, type ErrorCode } from '@bridgekeeper/protocol'
import type { Admission } from './admission/admission.ts'
import { type CallOptions, callTool, type ListedTool, listTools } from './app-calls.ts'
import { assemble } from './assemble.ts'
import { attachTo, type Handlers } from './attach.ts'
import type { BridgeEventName, BridgeListener } from './bridge-events.ts'
import type { BridgeOptions, BridgeStores } from './bridge-options.ts'
import type { ToolResult } from './calls/result.ts'
import { letPagesRead } from './cors.ts'
import { deviceEndpoint } from './device-endpoint.ts'
import type { DeviceEndpoint } from './devices/endpoint.ts'
import { canonicalTarget, pathOf, rewriteTarget } from './gates/canonical-path.ts'
import { deny } from './gates/verdict.ts'
import type { RateLimiter, RateLimitStatus } from './limiters/rate-limit.ts'
import { type McpPath, mcpPath } from './northbound/endpoint.ts'
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
  const { admission, dispatcher, events, limiter, names, revoker, directory } = parts
  const lifecycle = new Lifecycle(parts, system)
  const frontDoor = frontDoorOf(admission, lifecycle)
  const enrolment = deviceEndpoint(options, parts, frontDoor, system)
  const handlers = handlersOf(parts, enrolment, lifecycle)
  return {
    attach: (server) => attachTo(server, handlers),
    frontDoor,
    ready: () => lifecycle.started,
    async callTool(userId, serverName, toolName, args = {}, { signal } = {}) {
      if (lifecycle.isStarting)
        throw new BridgeError('internal_error', 'It has not read its stores yet: wait for `ready()`.')
      return callTool(dispatcher, userId, { serverName, toolName }, args, signal)
    },
    on: (name, listener) => events.on(name, listener),
    listTools: (userId) => listTools(directory, names, userId),
    getRateLimitStatus: (userId) => limiter.getRateLimitStatus(userId, system.monotonicMs()),
    resetRateLimit: (userId) => resetRateLimit(limiter, options.stores, userId),
    revoke: (revocation) => revoker.revoke(revocation),
    close: (limitMs = DEFAULT_CLOSE_MS) => lifecycle.close(limitMs),
  }
}

type Parts = ReturnType<typeof assemble>

/** Starts the parts of a bridge, and closes them. */
class Lifecycle {
  /** Resolves once the contents of the stores are loaded. */
  readonly started: Promise<void>
  readonly #parts: Parts
  readonly #system: System
  #state: 'starting' | 'serving' | 'draining' = 'starting'

  constructor(parts: Parts, system: System) {
    this.#parts = parts
    this.#system = system
    const { revoker, blocks, callTimes } = parts
    revoker.start()
    this.started = Promise.all([blocks.start(), callTimes.start()]).then(() => {
      if (this.isStarting) this.#state = 'serving'
    })
    // Until it resolves, every request is refused: without its blocks the bridge admits nobody.
    this.started.catch(() => {})
  }

  get isStarting(): boolean {
    return this.#state === 'starting'
  }

  /** Why no request is admitted now. */
  get obstacle(): ErrorCode | undefined {
    if (this.#state === 'draining') return 'shutting_down'
    return this.isStarting ? 'internal_error' : undefined
  }

  get readiness(): string {
    const { revoker, log } = this.#parts
    if (this.#state !== 'serving') return this.#state
    if (revoker.isBlind) return 'revocations_unavailable'
    return log.writable ? 'ready' : 'log_unavailable'
  }

  async close(limitMs: number): Promise<void> {
    const { agents, inFlight, revoker, blocks, callTimes } = this.#parts
    this.#state = 'draining'
    agents.refuseNew()
    await atMost(limitMs, inFlight.drain(), this.#system)
    agents.closeAll()
    revoker.close()
    blocks.close()
    await callTimes.close()
  }
}

/** Decides from the path which part handles a request. */
function handlersOf(
  { agents, mcp, metadata, origins }: Parts,
  enrolment: DeviceEndpoint | undefined,
  lifecycle: Lifecycle,
): Handlers {
  function onRequest(request: IncomingMessage, response: ServerResponse, pathname: string): boolean {
    const path = mcpPath(pathname)
    if (path !== undefined) onMcp(request, response, path)
    else if (metadata?.handle(request, response, pathname)) return true
    else if (enrolment?.handle(request, response, pathname)) return true
    else if (pathname === AGENT_PATH) agents.explain(response)
    else if (pathname === '/healthz') sendStatus(response, 200, 'ok')
    else if (pathname === '/readyz') sendReadiness(response, lifecycle.readiness)
    else return false
    return true
  }

  function onMcp(request: IncomingMessage, response: ServerResponse, path: McpPath): void {
    if (letPagesRead(request, response, origins)) return
    const refusal = lifecycle.obstacle
    if (refusal !== undefined) sendRefusal(response, deny(refusal))
    else mcp.handle(request, response, path)
  }

  function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    // Agents sign the path that they dial, so only this spelling is accepted.
    if (pathOf(request.url) !== AGENT_PATH) return false
    if (lifecycle.isStarting) refuseUpgrade(socket, 'internal_error')
    else void agents.upgrade(request, socket, head)
    return true
  }

  return {
    request: canonically(onRequest),
    upgrade: onUpgrade,
    unclaimedRequest: (response) => sendRefusal(response, deny('not_found')),
    unclaimedUpgrade: (socket) => refuseUpgrade(socket, 'not_found'),
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

function frontDoorOf(admission: Admission, lifecycle: Lifecycle): FrontDoor {
  return {
    enter(request) {
      const refusal = lifecycle.obstacle
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

function sendReadiness(response: ServerResponse, readiness: string): void {
  sendStatus(response, readiness === 'ready' ? 200 : 503, readiness)
}

function sendStatus(response: ServerResponse, httpStatus: number, status: string): void {
  const body = JSON.stringify({ status })
  response.writeHead(httpStatus, { 'content-type': 'application/json', ...answerHeaders }).end(body)
}
