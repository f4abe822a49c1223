import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import { type BrowserSessions, comesFromElsewhere } from '../browser/browser-sessions.ts'
import type { LoginSessions } from '../sessions/login-sessions.ts'
import { sendOnward } from '../web/respond.ts'
import type { Site } from '../web/site.ts'
import { showError } from './oidc-provider.ts'

export interface ErrorAnswerParts {
  readonly site: Site
  readonly browserSessions: BrowserSessions
  readonly sessions: LoginSessions
}

type Failure = { readonly error?: string; readonly error_description?: string | undefined }

/** Member of an interaction's result: its user has pressed Refuse on the page that names the app's address. */
export const REFUSED_BY_USER = 'refusedByUser'

/**
 * [OAUTH.22] Keeps the browser on this site when a request for access fails, unless its user knows the app.
 * Anyone may register a client; without this, a link to the bridge would redirect to any address without a
 * click. Source: RFC 9700 section 4.11.2.
 */
export class ErrorAnswers {
  readonly #parts: ErrorAnswerParts
  readonly #failures = new WeakMap<KoaContextWithOIDC, Failure>()

  constructor(provider: Provider, parts: ErrorAnswerParts) {
    this.#parts = parts
    provider.on('authorization.error', (ctx, error) => this.#failures.set(ctx, error))
    provider.on('server_error', (ctx) => this.#failures.set(ctx, { error: 'server_error' }))
  }

  /** Replaces the library's answer to a failed request for access by a page of this site. */
  async answer(ctx: KoaContextWithOIDC): Promise<void> {
    const failure = this.#failures.get(ctx)
    if (failure === undefined || (await this.#knowsApp(ctx))) return
    const { site } = this.#parts
    ctx.remove('Location')
    if (comesFromElsewhere(ctx.req, site)) {
      // If a page of this site repeats the request, the browser sends the cookies that identify its user.
      ctx.respond = false
      return sendOnward(ctx.res, site, ctx.url)
    }
    ctx.status = 400
    showError(ctx, site, failure.error_description ?? failure.error ?? 'server_error')
  }

  /** Whether the user has this app connected, or has just refused it. */
  async #knowsApp(ctx: KoaContextWithOIDC): Promise<boolean> {
    const { browserSessions, sessions } = this.#parts
    const { Client, Interaction } = ctx.oidc.entities
    if (Interaction?.result?.[REFUSED_BY_USER] === true) return true
    const loggedIn = Client && (await browserSessions.loggedInUser(ctx.req, ctx.res))
    if (Client === undefined || loggedIn === undefined) return false
    const all = await sessions.ofUser(loggedIn.user.userId)
    return all.some(({ kind, clientId }) => kind === 'client' && clientId === Client.clientId)
  }
}
