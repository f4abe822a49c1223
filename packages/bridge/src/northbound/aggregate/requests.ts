import { BridgeError, limits, type RawJson, textAt, toJson } from '@bridgekeeper/protocol'
import type { Directory } from '../../directory/directory.ts'
import { capabilityOf } from '../../directory/exchange-server.ts'
import { exchangeAuthorityGate } from '../../gates/call-authority.ts'
import { denialError } from '../../gates/verdict.ts'
import { introductionResult } from '../discovery.ts'
import type { ExchangeRequests } from '../exchange-requests.ts'
import type { McpSessions } from '../mcp-session.ts'
import { MAX_NAME_CHARS, type RpcRequest, versionOf } from '../message.ts'
import type { MessageContext } from '../message-context.ts'
import { requestBytes } from '../request-bytes.ts'
import { guarded } from '../respond.ts'
import type { MessageFacts } from '../revision.ts'
import { sendError } from '../send-error.ts'
import type { StreamParts } from '../server-streams.ts'
import { type Address, type Addresses, renamed, type Search } from './addresses.ts'
import { capabilitiesOf, instructionsOf } from './introduction.ts'
import { listKindOf, TASKS } from './list-kinds.ts'
import type { MergedLists } from './merged-lists.ts'
import type { SetLevel } from './set-level.ts'
import { subscribe } from './subscribe.ts'

const EMPTY_RESULT: RawJson = Buffer.from('{}')
/** Methods of the 2025 era that 2026 does not have. */
const REMOVED: ReadonlySet<string> = new Set(['resources/subscribe', 'resources/unsubscribe', 'tasks/result'])
/** Methods, besides lists, whose requests all servers get. */
const FOR_ALL: ReadonlySet<string> = new Set(['logging/setLevel', 'subscriptions/listen'])
const NO_METHOD: RawJson = toJson({ code: -32_601, message: 'Method not found' })

interface Parts {
  readonly directory: Directory
  readonly sessions: McpSessions
  readonly exchanges: ExchangeRequests
  readonly lists: MergedLists
  readonly addresses: Addresses
  readonly setLevel: SetLevel
  readonly streams: StreamParts
}

/** [AGG.7] Answers requests at `/mcp`, but calls: by the bridge itself, by all servers together, or by one. */
export class AggregateRequests {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async answer(context: MessageContext, message: RpcRequest, facts: MessageFacts): Promise<void> {
    try {
      await this.#answer(context, message, facts)
    } catch (error) {
      if (!(error instanceof BridgeError)) throw error
      if (!context.open.isGone) sendError(context.reply, message.id, error)
    }
  }

  #answer(context: MessageContext, message: RpcRequest, facts: MessageFacts): void | Promise<void> {
    const { reply } = context
    const { id, method } = message
    if (method === 'initialize' && facts.era === '2025') return this.#initialize(context, message)
    const session =
      facts.era === '2025'
        ? this.#parts.sessions.find(context.request.headers, context.open.caller)
        : undefined
    if (session instanceof BridgeError) return sendError(reply, id, session)
    const kind = listKindOf(method, facts.era)
    const search: Search = {
      open: context.open,
      message: requestBytes(context, message),
      facts: { era: facts.era, version: versionOf(context.request.headers), session },
    }
    if (kind !== undefined || FOR_ALL.has(method)) checkSize(search.message)
    if (kind === TASKS && !this.#hasTasks(context)) return reply.error(id, NO_METHOD)
    const denied = denialOf(context, method, search.message)
    if (kind !== undefined && denied !== undefined) return this.#refuse(context, message, denied)
    if (kind !== undefined) return this.#parts.lists.answer(context, message, kind, search)
    if (facts.era === '2025' && method === 'ping') return reply.result(id, EMPTY_RESULT)
    if (facts.era === '2025' && method === 'logging/setLevel')
      return this.#parts.setLevel.answer(context, message, search)
    if (facts.era === '2026' && method === 'server/discover') return this.#introduce(context, message, '2026')
    if (facts.era === '2026' && method === 'subscriptions/listen')
      return denied === undefined
        ? subscribe(context, message, search, this.#parts.addresses, this.#parts.streams)
        : this.#refuse(context, message, denied)
    return this.#toOne(context, message, facts, search)
  }

  /** [SESS.3] Begins a session, which each machine joins when it gets its first message. */
  #initialize(context: MessageContext, message: RpcRequest): void {
    const { open, body, reply } = context
    const begun = this.#parts.sessions.begin(open.caller, body, message.params)
    if (begun instanceof BridgeError) return sendError(reply, message.id, begun)
    open.response.setHeader('mcp-session-id', begun.header)
    this.#introduce(context, message, '2025')
  }

  #introduce(
    { open, body, view, reply }: MessageContext,
    { id, params }: RpcRequest,
    era: '2025' | '2026',
  ): void {
    const { userId, scopes } = open.caller
    const servers = this.#parts.directory.exchangeServers(userId)
    const own = {
      capabilities: capabilitiesOf(scopes, servers),
      instructions: instructionsOf(servers, scopes),
    }
    const result = introductionResult(era, body, params, view, own)
    if (result instanceof BridgeError) return sendError(reply, id, result)
    reply.result(id, result)
    open.sent()
  }

  #hasTasks({ open }: MessageContext): boolean {
    const servers = this.#parts.directory.exchangeServers(open.caller.userId)
    return servers.some((server) => capabilityOf(server, 'tasks') !== undefined)
  }

  /** Forwards a request to the server that it names. */
  async #toOne(
    context: MessageContext,
    message: RpcRequest,
    facts: MessageFacts,
    search: Search,
  ): Promise<void> {
    const { open, reply } = context
    const { id, method } = message
    const path = facts.era === '2026' && REMOVED.has(method) ? undefined : nameIn(method, search.message)
    if (path === undefined) return reply.error(id, NO_METHOD, facts.era === '2026' ? 404 : undefined)
    const name = textAt(search.message, ['params', ...path])
    if (name === undefined)
      return sendError(
        reply,
        id,
        new BridgeError('params_invalid', `"params.${path.join('.')}" must be a string.`),
      )
    const address = await this.#find(search, method, path, name)
    guarded(open.response, () => {
      if (open.isGone) return
      const denied = denialOf(context, method, search.message)
      // No server was asked, because the scope is missing.
      if (address === undefined && denied !== undefined) return this.#refuse(context, message, denied)
      if (address === undefined) return sendError(reply, id, this.#notFound(open.caller.userId, name))
      const sent = renamed(search.message, path, address.name)
      const found = { ...facts, name: facts.name === undefined ? undefined : address.name }
      this.#parts.exchanges.answer(context, message, found, address.serverName, sent)
    })
  }

  #refuse(context: MessageContext, message: RpcRequest, denied: BridgeError): void {
    this.#parts.exchanges.refuse(context, message, { serverName: '', name: undefined }, denied)
  }

  #find(search: Search, method: string, path: readonly string[], name: string): Promise<Address | undefined> {
    const { addresses } = this.#parts
    const last = path.at(-1)
    if (last === 'name') return addresses.prompt(search, name)
    if (last === 'taskId') return addresses.task(search, name)
    return method === 'completion/complete'
      ? addresses.template(search, name)
      : addresses.resource(search, name)
  }

  #notFound(userId: string, name: string): BridgeError {
    if (this.#parts.directory.awake(userId).length === 0) return new BridgeError('agent_offline')
    return new BridgeError(
      'params_invalid',
      `No local server has ${JSON.stringify(name.slice(0, MAX_NAME_CHARS))}.`,
    )
  }
}

/**
 * [LOAD.8] Bounds a request that the bridge parses, or sends to each server. Threat: one that is 64 MiB long stops the
 * bridge for everyone, or needs that memory for each server.
 * @throws BridgeError if it is too long
 */
function checkSize(message: RawJson): void {
  if (message.length <= limits.messageBytes) return
  throw new BridgeError('params_invalid', 'A request for all local servers has at most 1 MiB.')
}

/** [SCOPE.4] Why the token does not allow this method. */
function denialOf({ open }: MessageContext, method: string, message: RawJson): BridgeError | undefined {
  const asked = { serverName: '', method, name: undefined, message }
  const authority = exchangeAuthorityGate(open.caller.scopes, asked)
  return authority.allowed ? undefined : denialError(authority)
}

/** Path of the member that names a prompt, resource or task; `undefined` for a request that names nothing. */
function nameIn(method: string, message: RawJson): readonly string[] | undefined {
  switch (method) {
    case 'prompts/get':
      return ['name']
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return ['uri']
    case 'completion/complete': {
      const type = textAt(message, ['params', 'ref', 'type'])
      return ['ref', type === 'ref/prompt' ? 'name' : 'uri']
    }
    case 'tasks/get':
    case 'tasks/result':
    case 'tasks/update':
    case 'tasks/cancel':
      return ['taskId']
    default:
      return undefined
  }
}
