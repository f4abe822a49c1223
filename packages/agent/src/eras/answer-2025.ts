import { type RawJson, textAt, toJson } from '@bridgekeeper/protocol'
import type { Exchange } from '../exchanges/exchange.ts'
import { INVALID_LEVEL, isLevel } from '../exchanges/log-levels.ts'
import type { Outcome } from '../exchanges/outcome-end.ts'
import type { ExchangeServer } from '../exchanges/server-port.ts'
import type { Session } from '../exchanges/session.ts'
import { INVALID_URI, maySubscribe, TOO_MANY } from '../exchanges/subscriptions.ts'
import type { Instance } from '../servers/instance.ts'
import { Listening } from './listen-2025.ts'
import { hasCapability, introductionFrom, rpcError } from './results.ts'
import { runInRounds } from './rounds-2025.ts'
import type { TranslationDeps } from './translation-deps.ts'

const SUCCESS: Outcome = { kind: 'result', result: toJson({}) }
const NOT_FOUND = rpcError(-32_601, 'Method not found')
const NEEDS_SESSION: Outcome = { kind: 'refused', code: 'session_required' }
/** Methods of the 2026 era, and those of tasks, which differ between the eras. */
const UNKNOWN_2025 = /^(server\/discover|subscriptions\/listen|tasks\/.*)$/

/** Answers clients of the 2025 era for servers that speak only the 2026 era. */
export class Answers2025 {
  readonly #deps: TranslationDeps
  /** By the name of the server. */
  readonly #listenings = new Map<string, Listening>()

  constructor(deps: TranslationDeps) {
    this.#deps = deps
  }

  /** Answers one request. Never rejects. */
  async answer(exchange: Exchange, server: ExchangeServer): Promise<Outcome> {
    const { method, params, session, client } = exchange.facts
    if (UNKNOWN_2025.test(method)) return NOT_FOUND
    const group = this.#deps.groups.of(server, '2026', [])
    const instance = await group.shared(client)
    if ('fault' in instance) return instance
    if (session !== undefined) this.#listening(server).join(session)
    switch (method) {
      case 'initialize':
        return result(introductionFrom(instance.introduction, textAt(params, ['protocolVersion'])))
      case 'ping':
        return SUCCESS
      case 'logging/setLevel':
        return setLevel(instance, session, textAt(params, ['level']))
      case 'resources/subscribe':
        return this.#subscribe(server, session, textAt(params, ['uri']))
      case 'resources/unsubscribe':
        return this.#unsubscribe(server, session, textAt(params, ['uri']))
      default:
        return runInRounds(exchange, instance.introduction, { ...this.#deps, server, group })
    }
  }

  leave(session: Session): void {
    this.#listenings.get(session.facts.serverName)?.leave(session)
  }

  async #subscribe(
    server: ExchangeServer,
    session: Session | undefined,
    uri: string | undefined,
  ): Promise<Outcome> {
    if (session === undefined) return NEEDS_SESSION
    if (uri === undefined) return INVALID_URI
    const { subscriptions } = session
    if (!maySubscribe(session, uri)) return TOO_MANY
    subscriptions.add(uri)
    const outcome = await this.#listening(server).changed()
    if (outcome === undefined) return SUCCESS
    subscriptions.delete(uri)
    await this.#listening(server).changed()
    return outcome
  }

  async #unsubscribe(
    server: ExchangeServer,
    session: Session | undefined,
    uri: string | undefined,
  ): Promise<Outcome> {
    if (session === undefined) return NEEDS_SESSION
    if (uri === undefined) return INVALID_URI
    if (session.subscriptions.delete(uri)) await this.#listening(server).changed()
    return SUCCESS
  }

  /** A server is being stopped. @param next listened to instead of it */
  replace(serverName: string, next: ExchangeServer | undefined): void {
    const sessions = this.#listenings.get(serverName)?.close() ?? []
    this.#listenings.delete(serverName)
    if (next !== undefined) for (const session of sessions) this.#listening(next).join(session)
  }

  #listening(server: ExchangeServer): Listening {
    const group = this.#deps.groups.of(server, '2026', [])
    const found = this.#listenings.get(server.name) ?? new Listening(server.name, group, this.#deps)
    this.#listenings.set(server.name, found)
    return found
  }
}

/** The level is kept for the envelope of each request. */
function setLevel(
  { introduction }: Instance,
  session: Session | undefined,
  level: string | undefined,
): Outcome {
  if (!hasCapability(introduction, 'logging')) return NOT_FOUND
  if (session === undefined) return NEEDS_SESSION
  if (!isLevel(level)) return INVALID_LEVEL
  session.level = level
  return SUCCESS
}

function result(value: RawJson): Outcome {
  return { kind: 'result', result: value }
}
