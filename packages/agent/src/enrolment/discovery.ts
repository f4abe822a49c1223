import { cleanText } from '@bridgekeeper/protocol'
import { AgentError } from '../errors.ts'
import type { System } from '../system.ts'
import { ask } from './ask.ts'
import { refusal } from './refusal.ts'

/** Endpoints at which a bridge lets its users approve machines. */
export interface AuthorizationServer {
  readonly deviceAuthorizationEndpoint: string
  readonly tokenEndpoint: string
}

/**
 * Asks the bridge how machines are enrolled. It speaks for itself only: its name must be the address that was
 * dialled, and its endpoints must be its own.
 * Source: RFC 8414 sections 3 and 3.3, RFC 8628 section 4.
 *
 * @throws AgentError `enrolment_unavailable`, `bridge_misnamed`, or what the bridge refused with
 * @throws Unreachable
 */
export async function discover(
  system: System,
  bridge: string,
  signal: AbortSignal,
): Promise<AuthorizationServer> {
  const answer = await ask(system, `${bridge}/.well-known/oauth-authorization-server`, {}, signal)
  if (answer.status === 404) throw new AgentError('enrolment_unavailable')
  if (answer.status !== 200) throw refusal(answer)
  const { issuer, device_authorization_endpoint: device, token_endpoint: token } = answer.body
  if (typeof issuer !== 'string') throw new AgentError('enrolment_unavailable')
  if (issuer !== bridge)
    throw new AgentError('bridge_misnamed', `Its issuer is ${cleanText(issuer).slice(0, 200)}`)
  if (!isWithin(device, bridge) || !isWithin(token, bridge)) throw new AgentError('enrolment_unavailable')
  return { deviceAuthorizationEndpoint: device, tokenEndpoint: token }
}

/** Whether this is an address of the bridge itself, fit to be asked, or shown to a person and opened. */
export function isWithin(url: unknown, bridge: string): url is string {
  if (typeof url !== 'string' || !URL.canParse(url) || /[^\x21-\x7e]/.test(url)) return false
  // Compares the resolved address, without dots.
  return new URL(url).href.startsWith(`${bridge}/`)
}
