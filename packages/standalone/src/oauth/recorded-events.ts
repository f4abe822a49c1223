import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { SecurityLog, System } from '@bridgekeeper/bridge'
import { type ClientAddress, Sampler } from '@bridgekeeper/bridge/parts'
import type { errors, KoaContextWithOIDC, Provider } from 'oidc-provider'

/** Refusals of the library that are logged. */
const REFUSALS = [
  'authorization.error',
  'device_authorization.error',
  'grant.error',
  'registration_create.error',
  'revocation.error',
] as const
/** Normal answers to a polling agent. */
const USUAL: readonly string[] = ['authorization_pending', 'slow_down']
const CODE = /^[a-z_]{1,40}$/

/** Logs refusals, failures and registrations of the authorization server. */
export function recordEvents(
  provider: Provider,
  log: Pick<SecurityLog, 'logSecurityEvent'>,
  system: System,
  addressOf: (request: IncomingMessage) => ClientAddress | undefined,
): void {
  const sampler = new Sampler()
  const refused = (ctx: KoaContextWithOIDC, { error }: errors.OIDCProviderError): void => {
    if (USUAL.includes(error)) return
    const address = addressOf(ctx.req)
    const sampled = sampler.take(`${error} ${address?.key}`, system.monotonicMs())
    if (sampled === undefined) return
    const reason = CODE.test(error) ? error : 'other'
    log.logSecurityEvent({ event: 'oauth_request_refused', ip: address?.ip, reason, ...sampled })
  }
  const emitter: EventEmitter = provider
  for (const name of REFUSALS) emitter.on(name, refused)
  provider.on('registration_create.success', (ctx, client) =>
    log.logSecurityEvent({
      event: 'client_registered',
      ip: addressOf(ctx.req)?.ip,
      clientId: client.clientId,
    }),
  )
  provider.on('server_error', (_ctx, error) =>
    log.logSecurityEvent({ event: 'page_failed', error: String(error) }),
  )
  // Koa prints errors that have no listener.
  emitter.on('error', (error: Error) => log.logSecurityEvent({ event: 'page_failed', error: String(error) }))
}
