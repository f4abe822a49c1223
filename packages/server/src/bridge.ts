import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import {
  BridgeError,
  type ErrorCode,
  isObject,
  type RawJson,
  type ToolDefinition,
} from '@bridgekeeper/protocol'
import { memoryFingerprints } from './adapters/memory/fingerprints.ts'
import { Admission, type AdmissionOptions } from './admission/admission.ts'
import { DurableBlocks } from './admission/durable-blocks.ts'
import { DurableCallTimes } from './admission/durable-call-times.ts'
import { Fingerprints } from './admission/fingerprints.ts'
import { attachTo } from './attach.ts'
import { resultOrThrow } from './calls/result.ts'
import type { FailureLimit } from './gates/address-failures.ts'
import { TrustedProxies } from './gates/client-address.ts'
import type { ConnectionLimits } from './gates/connection-caps.ts'
import type { FingerprintPolicy } from './gates/fingerprint.ts'
import { originPolicy } from './gates/origin.ts'
import { RateLimiter, type RateLimitStatus, type RateLimits } from './gates/rate-limit.ts'
import type { TlsMode } from './gates/transport.ts'
import { deny } from './gates/verdict.ts'
import { McpEndpoint, mcpPath } from './northbound/endpoint.ts'
import { sendRefusal } from './northbound/respond.ts'
import { exposedTools } from './northbound/tool-names.ts'
import type {
  Authenticator,
  BlockStore,
  CallTimesStore,
  FingerprintStore,
  SecurityLog,
  System,
} from './ports.ts'
import { Dispatcher } from './router/dispatcher.ts'
import { Router } from './router/router.ts'
import { streamLog } from './security-log/stream-log.ts'
import { AGENT_PATH, AgentEndpoint, type AgentListener } from './southbound/endpoint.ts'
import { refuseWithHttp } from './southbound/refuse.ts'
import { isProduction } from './standalone/secret.ts'
import { realSystem } from './system.ts'

export interface BridgeOptions {
  /** Who may connect and call; `createTokens` makes one. */
  readonly authenticator: Authenticator
  /** Time limit of each call. Default 60,000. */
  readonly callTimeoutMs?: number
  /** Calls that may wait for one agent. Default 64. */
  readonly maxPendingCalls?: number
  /** Where security events go. Default: JSON lines on standard output. */
  readonly securityLog?: SecurityLog
  /**
   * Whether TLS ends here, at a trusted proxy, or nowhere. Default: here, and outside of production the
   * machine itself may connect in the clear.
   */
  readonly tls?: TlsMode
  /** Addresses and ranges of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` count. */
  readonly trustedProxies?: readonly string[]
  /** The bridge's own addresses, e.g. `https://bridge.example.com`: what a Host header may name. */
  readonly publicUrls?: readonly string[]
  /** Origins whose pages may use the bridge, besides its own. */
  readonly allowedOrigins?: readonly string[]
  /** Default: 100 calls a minute for each user, else refused for 15 minutes. */
  readonly rateLimits?: RateLimits
  /** Failures that block an address. Default: 10 within a minute, for an hour. */
  readonly addressFailures?: FailureLimit
  readonly connectionLimits?: ConnectionLimits
  /** What happens when a login comes from elsewhere than before. Default: it is put on record. */
  readonly fingerprints?: FingerprintPolicy
  /** The key of fingerprints, at least 32 bytes. Default: a fresh one, which a restart forgets. */
  readonly fingerprintKey?: Uint8Array
  /** What outlives the process. Default: nothing does. */
  readonly stores?: BridgeStores
  /** Whether this is production. Default: whether NODE_ENV says so, in any letter case. */
  readonly production?: boolean
  /** Time and randomness; the real ones unless a test passes its own. */
  readonly system?: System
}

export interface BridgeStores {
  readonly blocks?: BlockStore
  readonly fingerprints?: FingerprintStore
  readonly callTimes?: CallTimesStore
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
  /** Resolves once what the stores hold is taken over; rejects when they cannot be read. */
  ready(): Promise<void>
  /** The user's tools, as far as connected agents tell. */
  listTools(userId: string): readonly ListedTool[]
  /** Where the user stands with the rate limit; asking counts nothing. */
  getRateLimitStatus(userId: string): RateLimitStatus
  /** Lifts the user's block and starts the window anew: an operator's act. */
  resetRateLimit(userId: string): Promise<void>
  /** Takes nothing new, lets calls end within the limit, closes every connection. */
  close(limitMs?: number): Promise<void>
}

const DEFAULT_CALL_TIMEOUT_MS = 60_000
const DEFAULT_MAX_PENDING_CALLS = 64
const DEFAULT_CLOSE_MS = 10_000
const FINGERPRINT_KEY_BYTES = 32
/** The session of calls that the app itself makes for a user. */
const APP_SESSION = 'app'

/** Makes a bridge. It listens to nothing until it is attached. @throws TypeError for an option that is none */
export function createBridge(options: BridgeOptions): Bridge {
  const system = options.system ?? realSystem()
  const { agents, mcp, router, dispatcher, limiter, blocks, callTimes, log } = assemble(options, system)
  let state: 'starting' | 'serving' | 'draining' = 'starting'
  const started = Promise.all([blocks.start(), callTimes.start()]).then(() => {
    if (state === 'starting') state = 'serving'
  })
  // Whoever does not wait for `ready` is told by every request: without its blocks the bridge lets nobody in.
  started.catch(() => {})

  function obstacle(): ErrorCode | undefined {
    if (state === 'draining') return 'shutting_down'
    return state === 'starting' ? 'internal_error' : undefined
  }

  function readiness(): string {
    if (state !== 'serving') return state
    return log.writable ? 'ready' : 'log_unavailable'
  }

  function onRequest(request: IncomingMessage, response: ServerResponse): boolean {
    const pathname = pathOf(request)
    const path = mcpPath(pathname)
    const refusal = obstacle()
    if (path !== undefined && refusal !== undefined) sendRefusal(response, deny(refusal))
    else if (path !== undefined) void mcp.handle(request, response, path)
    else if (pathname === AGENT_PATH) agents.explain(response)
    else if (pathname === '/healthz') sendStatus(response, 200, 'ok')
    else if (pathname === '/readyz') sendStatus(response, readiness() === 'ready' ? 200 : 503, readiness())
    else return false
    return true
  }

  function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    if (pathOf(request) !== AGENT_PATH) return false
    if (state === 'starting') refuseUpgrade(socket, 'internal_error')
    else void agents.upgrade(request, socket, head)
    return true
  }

  function attach(server: HttpServer): void {
    attachTo(server, {
      request: onRequest,
      upgrade: onUpgrade,
      nobodysRequest: (response) => sendRefusal(response, deny('not_found')),
      nobodysUpgrade: (socket) => refuseUpgrade(socket, 'not_found'),
    })
  }

  async function callTool(
    userId: string,
    serverName: string,
    toolName: string,
    args: Readonly<Record<string, unknown>> = {},
    { signal }: CallOptions = {},
  ): Promise<unknown> {
    if (state === 'starting') throw new BridgeError('internal_error', 'Its stores are not read yet.')
    const call = { serverName, toolName, rawArgs: argumentBytes(args) }
    const outcome = await dispatcher.run({ userId, sessionId: APP_SESSION }, call, signal)
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
    state = 'draining'
    let cancelLimit = (): void => {}
    const limit = new Promise<void>((resolve) => {
      cancelLimit = system.after(limitMs, resolve)
    })
    agents.refuseNew()
    await Promise.race([router.drain(), limit])
    cancelLimit()
    agents.closeAll()
    blocks.close()
    await callTimes.close()
  }

  async function ready(): Promise<void> {
    await started
  }

  async function resetRateLimit(userId: string): Promise<void> {
    limiter.resetRateLimit(userId)
    await options.stores?.blocks?.remove({ kind: 'calls', key: userId })
    await options.stores?.callTimes?.forget(userId)
  }

  const getRateLimitStatus = (userId: string): RateLimitStatus =>
    limiter.getRateLimitStatus(userId, system.monotonicMs())

  return { attach, ready, callTool, listTools, getRateLimitStatus, resetRateLimit, close }
}

/** The parts of a bridge, each given what it needs of the others. */
function assemble(options: BridgeOptions, system: System) {
  const log = options.securityLog ?? streamLog(process.stdout, system)
  const blocks = new DurableBlocks(options.stores?.blocks, system, ({ kind, key }) => {
    if (kind === 'calls') limiter.resetRateLimit(key)
  })
  const limiter = new RateLimiter(blocks.list, options.rateLimits)
  const callTimes = new DurableCallTimes(options.stores?.callTimes, limiter.userWindow, system)
  const router = new Router()
  const dispatcher = new Dispatcher(router, limiter, log, system, (key, untilMs) =>
    blocks.save({ kind: 'calls', key, untilMs }),
  )
  const admission = new Admission(admissionOptions(options), {
    authenticator: options.authenticator,
    blocks,
    fingerprints: fingerprints(options, log, system),
    log,
    system,
  })
  const agents = new AgentEndpoint(admission, agentListener(router, dispatcher), system, log, {
    callTimeoutMs: options.callTimeoutMs ?? DEFAULT_CALL_TIMEOUT_MS,
    maxPendingCalls: options.maxPendingCalls ?? DEFAULT_MAX_PENDING_CALLS,
  })
  const mcp = new McpEndpoint(admission, router, dispatcher, log)
  return { agents, mcp, router, dispatcher, limiter, blocks, callTimes, log }
}

function agentListener(router: Router, dispatcher: Dispatcher): AgentListener {
  return {
    verified: (connection) => router.verified(connection),
    ended: (connection) => router.ended(connection),
    execute: ({ principal: { userId, sessionId, scopes }, ip }, call, settle) =>
      dispatcher.call({ userId, sessionId, scopes, ip }, call, settle),
  }
}

/** @throws TypeError when a proxy, URL or origin is none */
function admissionOptions(options: BridgeOptions): AdmissionOptions {
  const production = options.production ?? isProduction(process.env)
  return {
    transport: { mode: options.tls ?? 'required', loopbackPlain: !production },
    proxies: new TrustedProxies(options.trustedProxies ?? []),
    origins: originPolicy(options.publicUrls ?? [], options.allowedOrigins),
    failures: options.addressFailures,
    connections: options.connectionLimits,
  }
}

function fingerprints(options: BridgeOptions, log: SecurityLog, system: System): Fingerprints {
  const policy = options.fingerprints ?? 'observe'
  const key = options.fingerprintKey ?? Buffer.from(system.randomBytes(FINGERPRINT_KEY_BYTES))
  return new Fingerprints({ policy, key }, options.stores?.fingerprints ?? memoryFingerprints(), log, system)
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

function refuseUpgrade(socket: Duplex, code: ErrorCode): void {
  socket.on('error', () => socket.destroy())
  refuseWithHttp(socket, deny(code))
}

function sendStatus(response: ServerResponse, httpStatus: number, status: string): void {
  const body = JSON.stringify({ status })
  response
    .writeHead(httpStatus, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    .end(body)
}
