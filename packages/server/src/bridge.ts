import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { BridgeError, isObject, type RawJson, type ToolDefinition } from '@bridgekeeper/protocol'
import { attachTo } from './attach.ts'
import { resultOrThrow } from './calls/result.ts'
import { deny } from './gates/verdict.ts'
import { McpEndpoint, mcpPath } from './northbound/endpoint.ts'
import { sendRefusal } from './northbound/respond.ts'
import { exposedTools } from './northbound/tool-names.ts'
import type { Authenticator, System } from './ports.ts'
import { Router } from './router/router.ts'
import { AGENT_PATH, AgentEndpoint } from './southbound/endpoint.ts'
import { refuseWithHttp } from './southbound/refuse.ts'
import { realSystem } from './system.ts'

export interface BridgeOptions {
  /** Who may connect and call; `createTokens` makes one. */
  readonly authenticator: Authenticator
  /** Time limit of each call. Default 60,000. */
  readonly callTimeoutMs?: number
  /** Calls that may wait for one agent. Default 64. */
  readonly maxPendingCalls?: number
  /** Time and randomness; the real ones unless a test passes its own. */
  readonly system?: System
}

export interface CallOptions {
  /** Aborting cancels the call, on the agent too. */
  readonly signal?: AbortSignal
}

/** A tool as an app sees it. */
export interface ListedTool {
  readonly server: string
  /** The tool's name on `/mcp`. */
  readonly exposedName: string
  readonly definition: ToolDefinition
}

/** A running bridge, to be attached to an HTTP server of yours. */
export interface Bridge {
  /**
   * Serves the bridge's paths on this server. Requests for other paths go to the listeners that the
   * server had before; without any, they get 404.
   */
  attach(server: HttpServer): void
  /**
   * Calls a tool on the user's machine.
   * @returns the tool's result, also when the tool itself says that it failed (`isError`)
   * @throws BridgeError with a stable `code` when the call did not get that far
   * @throws ToolError when the local server answered with a JSON-RPC error
   */
  callTool(
    userId: string,
    server: string,
    tool: string,
    args?: Readonly<Record<string, unknown>>,
    options?: CallOptions,
  ): Promise<unknown>
  /** The user's tools, as far as connected agents tell. */
  listTools(userId: string): readonly ListedTool[]
  /** Takes nothing new, lets calls end within the limit, closes every connection. */
  close(limitMs?: number): Promise<void>
}

const DEFAULT_CALL_TIMEOUT_MS = 60_000
const DEFAULT_MAX_PENDING_CALLS = 64
const DEFAULT_CLOSE_MS = 10_000

/** Makes a bridge. It listens to nothing until it is attached. */
export function createBridge(options: BridgeOptions): Bridge {
  const system = options.system ?? realSystem()
  const router = new Router()
  const agents = new AgentEndpoint(options.authenticator, router, system, {
    callTimeoutMs: options.callTimeoutMs ?? DEFAULT_CALL_TIMEOUT_MS,
    maxPendingCalls: options.maxPendingCalls ?? DEFAULT_MAX_PENDING_CALLS,
  })
  const mcp = new McpEndpoint(router, options.authenticator)
  let draining = false

  function onRequest(request: IncomingMessage, response: ServerResponse): boolean {
    const pathname = pathOf(request)
    const path = mcpPath(pathname)
    if (path !== undefined && draining) sendRefusal(response, deny('shutting_down'))
    else if (path !== undefined) void mcp.handle(request, response, path)
    else if (pathname === AGENT_PATH) agents.explain(response)
    else if (pathname === '/healthz') sendStatus(response, 200, 'ok')
    else if (pathname === '/readyz')
      sendStatus(response, draining ? 503 : 200, draining ? 'draining' : 'ready')
    else return false
    return true
  }

  function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    if (pathOf(request) !== AGENT_PATH) return false
    void agents.upgrade(request, socket, head)
    return true
  }

  function attach(server: HttpServer): void {
    attachTo(server, {
      request: onRequest,
      upgrade: onUpgrade,
      nobodysRequest: (response) => sendRefusal(response, deny('not_found')),
      nobodysUpgrade(socket) {
        socket.on('error', () => socket.destroy())
        refuseWithHttp(socket, deny('not_found'))
      },
    })
  }

  async function callTool(
    userId: string,
    serverName: string,
    toolName: string,
    args: Readonly<Record<string, unknown>> = {},
    { signal }: CallOptions = {},
  ): Promise<unknown> {
    const call = { serverName, toolName, rawArgs: argumentBytes(args) }
    const outcome = await router.run(userId, call, signal)
    return resultOrThrow(outcome)
  }

  function listTools(userId: string): readonly ListedTool[] {
    return [...exposedTools(router.catalog(userId)).values()].map(({ name, serverName, tool }) => ({
      server: serverName,
      exposedName: name,
      definition: tool.definition,
    }))
  }

  async function close(limitMs = DEFAULT_CLOSE_MS): Promise<void> {
    draining = true
    let cancelLimit = (): void => {}
    const limit = new Promise<void>((resolve) => {
      cancelLimit = system.after(limitMs, resolve)
    })
    agents.refuseNew()
    await Promise.race([router.drain(), limit])
    cancelLimit()
    agents.closeAll()
  }

  return { attach, callTool, listTools, close }
}

function argumentBytes(args: Readonly<Record<string, unknown>>): RawJson {
  try {
    if (isObject(args)) return Buffer.from(JSON.stringify(args))
  } catch {
    // What JSON cannot hold, such as a BigInt or a circle, is told like any other bad arguments.
  }
  throw new BridgeError('arguments_invalid')
}

function pathOf(request: IncomingMessage): string {
  const url = request.url ?? ''
  const query = url.indexOf('?')
  return query === -1 ? url : url.slice(0, query)
}

function sendStatus(response: ServerResponse, httpStatus: number, status: string): void {
  const body = JSON.stringify({ status })
  response
    .writeHead(httpStatus, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    .end(body)
}
