import { isUtf8 } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { limits, withoutByteOrderMark } from '@bridgekeeper/protocol'
import type { Admission, AdmittedCaller } from '../admission/admission.ts'
import type { Directory } from '../directory/directory.ts'
import { type Denied, deny, type Verdict } from '../gates/verdict.ts'
import type { SecurityLog, System } from '../ports.ts'
import type { Dispatcher } from '../router/dispatcher.ts'
import { aggregateOf } from './aggregate/aggregate.ts'
import { Batches } from './batches.ts'
import { bodyBoundBytes, bodyRefusal, readBody } from './body.ts'
import { CallerLoads } from './caller-loads.ts'
import { ExchangeRequests } from './exchange-requests.ts'
import { FirstStart } from './first-start.ts'
import { FromCatalog } from './from-catalog.ts'
import { hasSession, type McpSessions } from './mcp-session.ts'
import { isBatch, readMessage, versionOf } from './message.ts'
import { Messages } from './messages.ts'
import { OpenRequest } from './open-request.ts'
import { answerFormat, replyTo } from './reply.ts'
import type { ResourceMetadata } from './resource-metadata.ts'
import { guarded, sendAbsence, sendMethodRefusal, sendParseError, sendRefusal } from './respond.ts'
import { MODERN_VERSION } from './revision.ts'
import { SessionRequests } from './session-requests.ts'
import { ShortCalls } from './short-calls.ts'
import type { ExposedNames } from './tool-names.ts'
import { AllServersView, OneServerView, type ToolView } from './tool-view.ts'

const ALL = '/mcp'
const ONE = '/mcp/'

/** `/mcp`, or `/mcp/{server}`. */
export interface McpPath {
  readonly serverName?: string
}

/** Parses the MCP path of a request; `undefined` for other paths. */
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

/** Parts of a bridge that callers use. */
export interface McpParts {
  readonly directory: Directory
  readonly names: ExposedNames
  readonly dispatcher: Dispatcher
  readonly sessions: McpSessions
  /** For clients that look for the issuer of tokens. */
  readonly metadata: ResourceMetadata | undefined
  readonly log: SecurityLog
  readonly system: System
  /** Longest body of a request. */
  readonly maxBodyBytes: number
}

/** MCP over Streamable HTTP for callers: admits requests and reads their bodies. */
export class McpEndpoint {
  readonly #admission: Admission
  readonly #directory: Directory
  readonly #names: ExposedNames
  readonly #messages: Messages
  readonly #batches: Batches
  readonly #sessions: SessionRequests
  readonly #log: SecurityLog
  readonly #metadata: ResourceMetadata | undefined
  readonly #loads: CallerLoads
  readonly #maxBodyBytes: number

  constructor(admission: Admission, parts: McpParts) {
    const { directory, names, dispatcher, sessions, metadata, log, system } = parts
    this.#admission = admission
    this.#directory = directory
    this.#names = names
    this.#sessions = new SessionRequests(sessions, { dispatcher, directory, system })
    const exchanges = new ExchangeRequests(dispatcher, sessions, metadata, system)
    const fromCatalog = new FromCatalog(log, sessions)
    const ways = {
      ...{ exchanges, fromCatalog },
      calls: new ShortCalls(dispatcher, metadata, system),
      sessions: this.#sessions,
      aggregate: aggregateOf({ ...parts, exchanges, fromCatalog }),
    }
    this.#messages = new Messages(ways, new FirstStart(directory, system), log)
    this.#batches = new Batches(this.#messages, this.#sessions, log)
    this.#log = log
    this.#metadata = metadata
    this.#loads = new CallerLoads(log, system)
    this.#maxBodyBytes = parts.maxBodyBytes
  }

  /** Answers the request in any case. Never throws. */
  handle(request: IncomingMessage, response: ServerResponse, path: McpPath): void {
    guarded(response, async () => {
      this.#admitted(request, response, path, await this.#admission.admitCaller(request))
    })
  }

  #admitted(
    request: IncomingMessage,
    response: ServerResponse,
    path: McpPath,
    admitted: Verdict<AdmittedCaller>,
  ): void {
    if (!admitted.allowed) {
      const authenticate = { metadataUrl: this.#metadata?.urlFor(request) }
      return this.#log.afterWritten(() => sendRefusal(response, admitted, authenticate))
    }
    const caller = admitted.value
    const open = new OpenRequest(response, caller, this.#loads, this.#log)
    const refused =
      open.open() ?? (request.method === 'POST' ? open.hold(bodyBoundBytes(request)) : open.spend(0))
    if (refused !== undefined) return this.#log.afterWritten(() => sendRefusal(response, refused))
    const view =
      path.serverName === undefined
        ? new AllServersView(this.#directory, this.#names, caller)
        : new OneServerView(this.#directory, caller, path.serverName)
    if (request.method !== 'POST') return this.#withoutBody(request, open, view)
    const reserve = (sizeBytes: number): Denied | undefined => open.holdLarge(sizeBytes)
    readBody(request, this.#maxBodyBytes, reserve, (body) =>
      guarded(response, () => this.#read(request, open, view, body)),
    )
  }

  /** GET reads messages of an MCP session, and DELETE ends it. */
  #withoutBody(request: IncomingMessage, open: OpenRequest, view: ToolView): void {
    const { response } = open
    const { method, headers } = request
    const isHere = method === 'GET' || method === 'DELETE'
    const isModern = versionOf(headers) === MODERN_VERSION
    if (!isHere || isModern)
      return sendMethodRefusal(response, view.hasSessions && !isModern ? 'GET, POST, DELETE' : 'POST')
    const isAway = hasSession(headers) && view.mayCome()
    if (!view.hasSessions && !isAway)
      return sendAbsence(response, hasSession(headers) ? view.absence() : undefined)
    guarded(response, () => {
      if (method === 'GET') this.#sessions.read(request, open, view)
      else this.#sessions.remove(request, open, view)
    })
  }

  #read(
    request: IncomingMessage,
    open: OpenRequest,
    view: ToolView,
    received: Buffer | Denied,
  ): void | Promise<void> {
    const { response } = open
    if (open.hasEnded) return
    if (!Buffer.isBuffer(received)) {
      if (received.code === 'body_too_large') open.charge(limits.messageBytes)
      return this.#log.afterWritten(() => sendRefusal(response, received))
    }
    const format = answerFormat(request.headers)
    const refused = bodyRefusal(request.headers)
    if (refused !== undefined || format === undefined) {
      open.charge(received.length)
      return sendRefusal(response, refused ?? deny('not_acceptable'))
    }
    // Bytes that are forwarded in a text frame must be valid UTF-8.
    if (!isUtf8(received)) return refuseUnreadable(open, received)
    const body = withoutByteOrderMark(received)
    if (isBatch(body)) return this.#batches.answer({ request, open, view, body }, format)
    const message = readMessage(body)
    if (message !== undefined)
      return this.#messages.answer({ request, open, view, body, reply: replyTo(response, format) }, message)
    const spent = open.spend(body.length)
    if (spent !== undefined) return this.#log.afterWritten(() => sendRefusal(response, spent))
    return sendParseError(response)
  }
}

function refuseUnreadable(open: OpenRequest, body: Buffer): void {
  open.charge(body.length)
  sendParseError(open.response)
}
