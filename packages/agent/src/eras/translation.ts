import { type Era, objectMembers } from '@bridgekeeper/protocol'
import type { Exchange } from '../exchanges/exchange.ts'
import type { Outcome } from '../exchanges/outcome-end.ts'
import type { ExchangeServer } from '../exchanges/server-port.ts'
import type { Session } from '../exchanges/session.ts'
import { Answers2025 } from './answer-2025.ts'
import { Answers2026 } from './answer-2026.ts'
import type { TranslationDeps } from './translation-deps.ts'

const INVALID_PARAMS: Outcome = {
  kind: 'refused',
  code: 'params_invalid',
  detail: '"params" must be an object whose names occur once and without escapes.',
}

/** Translates requests between eras, for servers that do not speak the era of the client. */
export class Translation {
  readonly #for2025: Answers2025
  readonly #for2026: Answers2026

  constructor(deps: TranslationDeps) {
    this.#for2025 = new Answers2025(deps)
    this.#for2026 = new Answers2026(deps)
  }

  /** Answers one request. Never rejects. @param era of the client */
  answer(exchange: Exchange, server: ExchangeServer, era: Era): Promise<Outcome> {
    const { params } = exchange.facts
    // The server must read the same as the agent.
    if (params !== undefined && objectMembers(params) === undefined) return Promise.resolve(INVALID_PARAMS)
    return era === '2026' ? this.#for2026.answer(exchange, server) : this.#for2025.answer(exchange, server)
  }

  /** A server is being stopped. @param next runs instead of it */
  replace(serverName: string, next: ExchangeServer | undefined): void {
    this.#for2025.replace(serverName, next)
  }

  /** The login of a client was revoked. */
  revoke(client: string): void {
    this.#for2026.revoke(client)
  }

  /** A session is gone. */
  leave(session: Session): void {
    this.#for2025.leave(session)
  }
}
