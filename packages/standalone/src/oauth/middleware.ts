import type { EventEmitter } from 'node:events'
import type { System } from '@bridgekeeper/bridge'
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import { DEVICE_GRANT } from './clients.ts'
import type { DevicePages } from './device-pages.ts'
import { DevicePolls, POLL_SECONDS } from './device-polls.ts'
import type { ErrorAnswers } from './error-answers.ts'
import { ROUTES } from './oidc-provider.ts'
import { METHODS } from './paths.ts'
import { codeWords } from './user-code.ts'

/** Adds the steps before and after the library handles a request. */
export function useMiddleware(
  provider: Provider,
  base: string,
  system: System,
  devicePages: DevicePages,
  errorAnswers: ErrorAnswers,
): void {
  const polls = new DevicePolls(system)
  provider.use(async (context, next) => {
    const ctx = context as unknown as KoaContextWithOIDC
    // Adds the path that a proxy strips to every address that the library creates.
    Object.assign(ctx, { mountPath: base })
    // Runs before the library, which adds the hash of its own script to a policy for scripts.
    ctx.set(ANSWER_HEADERS)
    await caught(ctx, provider, next)
    refuseMethod(ctx)
    if (ctx.path.startsWith(ROUTES.authorization)) await errorAnswers.answer(ctx)
    if (ctx.path === '/device') {
      devicePages.approving(ctx)
      if (ctx.method === 'POST') devicePages.answered(ctx)
    }
    afterDeviceRequest(ctx, polls)
  })
}

/** Says that a path exists, but not for this method (RFC 9110 section 15.5.6). */
function refuseMethod(ctx: KoaContextWithOIDC): void {
  const methods = METHODS.get(ctx.path)
  if (ctx.status !== 404 || methods === undefined || methods.includes(ctx.method)) return
  ctx.status = 405
  ctx.set('Allow', methods.join(', '))
}

/**
 * [OAUTH.10] RFC 8628 sections 3.2 and 3.5: adds the polling interval, refuses polls that are too early, and
 * formats the code as words.
 */
function afterDeviceRequest(ctx: KoaContextWithOIDC, polls: DevicePolls): void {
  const body: unknown = ctx.body
  if (typeof body !== 'object' || body === null) return
  if (ctx.path === '/oauth/device' && 'user_code' in body) {
    const userCode = codeWords(String(body.user_code))
    const link = ctx.oidc.urlFor('code_verification', { query: { user_code: userCode } })
    Object.assign(body, {
      interval: POLL_SECONDS,
      user_code: userCode,
      verification_uri_complete: link,
    })
  }
  const { grant_type: grant, device_code: code } = ctx.oidc?.params ?? {}
  const isPending = 'error' in body && body.error === 'authorization_pending'
  if (!isPending || grant !== DEVICE_GRANT || typeof code !== 'string') return
  if (polls.isTooFast(code))
    ctx.body = {
      error: 'slow_down',
      error_description: `wait ${POLL_SECONDS} seconds longer between requests`,
    }
}

/**
 * [OAUTH.21] Headers of the library's own answers; our pages replace them. A page of the library runs its own
 * script and may post a code to an app, so there is no `form-action`: browsers apply that to the app's
 * redirects too.
 */
const ANSWER_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': "default-src 'none'; script-src; frame-ancestors 'none'; base-uri 'none'",
}

/** Answers an exception here, because Koa would drop every header. */
async function caught(
  ctx: KoaContextWithOIDC,
  provider: Provider,
  next: () => Promise<unknown>,
): Promise<void> {
  try {
    await next()
  } catch (error) {
    const emitter: EventEmitter = provider
    emitter.emit('error', error)
    ctx.status = 500
    ctx.body = { error: 'server_error', error_description: 'oops! something went wrong' }
  }
}
