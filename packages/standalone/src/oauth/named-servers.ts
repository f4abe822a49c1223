import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ClientAddress } from '@bridgekeeper/bridge/parts'
import { Provider } from 'oidc-provider'
import { isOfThisMachine, siteOf } from '../web/site.ts'
import type { DevicePages } from './device-pages.ts'
import { ErrorAnswers } from './error-answers.ts'
import { Interactions } from './interactions.ts'
import type { OAuthLimits } from './limits.ts'
import { useMiddleware } from './middleware.ts'
import { createOidcProvider } from './oidc-provider.ts'
import type { AuthorizationServerParts } from './parts.ts'
import { recordEvents } from './recorded-events.ts'

/** The library under one name of the bridge. */
interface NamedServer {
  readonly answer: (request: IncomingMessage, response: ServerResponse) => void
  readonly interactions: Interactions
}

/**
 * The library once per name of the bridge, since clients compare its metadata with the address that they use.
 * All share one set of records.
 */
export class NamedServers {
  readonly #parts: AuthorizationServerParts
  readonly #devicePages: DevicePages
  readonly #limits: OAuthLimits
  readonly #addressOf: (request: IncomingMessage) => ClientAddress | undefined
  readonly #servers = new Map<string, NamedServer>()

  /** @param addressOf the client's address of an admitted request */
  constructor(
    parts: AuthorizationServerParts,
    devicePages: DevicePages,
    limits: OAuthLimits,
    addressOf: (request: IncomingMessage) => ClientAddress | undefined,
  ) {
    this.#parts = parts
    this.#devicePages = devicePages
    this.#limits = limits
    this.#addressOf = addressOf
    // The issuer's is created at once, so that invalid settings show at the start.
    this.under(parts.issuer)
  }

  /** Returns the library under this name; created on first use. */
  under(name: string): NamedServer {
    const made = this.#servers.get(name) ?? this.#makeServer(name)
    this.#servers.set(name, made)
    return made
  }

  #makeServer(name: string): NamedServer {
    const { issuer, site, system, log, ...parts } = this.#parts
    const provider = createOidcProvider(
      {
        name,
        issuer,
        key: parts.signingKey,
        cookieKey: parts.cookieKey,
        records: {
          store: parts.store,
          key: parts.recordKey,
          system,
          grantEnded: (id) => this.#grantEnded(id),
        },
        users: parts.users,
        sessions: parts.sessionStore,
        system,
        allowRegistration: parts.allowRegistration,
        // Behind a proxy, this machine's own address does not identify the client.
        isLoopback: !parts.production && isOfThisMachine(site),
        devicePages: this.#devicePages,
        mayFetchMetadata: ({ req }) => this.#limits.take('metadata', this.#addressOf(req)).allowed,
      },
      site,
    )
    const errorAnswers = new ErrorAnswers(provider, this.#parts)
    useMiddleware(provider, siteOf(name).base, system, this.#devicePages, errorAnswers)
    recordEvents(provider, log, system, this.#addressOf)
    const interactions = new Interactions({ ...this.#parts, provider, key: parts.pageKey })
    return { answer: provider.callback(), interactions }
  }

  /** Handles the end of a grant: a code or token of it was used twice, or revoked. */
  async #grantEnded(grantId: string): Promise<void> {
    const { sessionStore, sessions } = this.#parts
    const session = await sessionStore.find(grantId)
    if (session === undefined) return
    const isGivenBack = Provider.ctx?.oidc?.route === 'revocation'
    await sessions.end(session, isGivenBack ? 'ended_by_client' : 'token_reused')
  }
}
