import { AGENT_PATH, cleanText } from '@bridgekeeper/protocol'
import { AgentError } from '../errors.ts'
import type { System } from '../system.ts'
import { ask } from './ask.ts'
import { refusal, refusalCode } from './refusal.ts'

/** Endpoints at which a bridge lets its users approve machines. */
export interface ServerMetadata {
  readonly deviceAuthorizationEndpoint: string
  readonly tokenEndpoint: string
}

/**
 * Fetches how the bridge enrols machines. Its name must be the dialled address, and its endpoints must be
 * within it. Source: RFC 8414 sections 3 and 3.3, RFC 8628 section 4.
 *
 * @throws AgentError `enrolment_unavailable`, `bridge_not_found`, `bridge_misnamed`, or the refusal of the bridge
 * @throws Unreachable
 */
export async function discover(system: System, bridge: string, signal: AbortSignal): Promise<ServerMetadata> {
  const answer = await ask(system, `${bridge}/.well-known/oauth-authorization-server`, {}, signal)
  if (answer.status !== 200 && answer.status !== 404) throw refusal(answer)
  const { issuer, device_authorization_endpoint: device, token_endpoint: token } = answer.body
  if (answer.status === 404 || typeof issuer !== 'string') throw await unavailable(system, bridge, signal)
  if (issuer !== bridge)
    throw new AgentError('bridge_misnamed', `Its issuer is ${cleanText(issuer).slice(0, 200)}`)
  if (!isWithin(device, bridge) || !isWithin(token, bridge)) throw new AgentError('enrolment_unavailable')
  return { deviceAuthorizationEndpoint: device, tokenEndpoint: token }
}

/** Explains why a site without metadata enrols no machine. The agents' endpoint shows whether it is a bridge. */
async function unavailable(system: System, bridge: string, signal: AbortSignal): Promise<AgentError> {
  const answer = await ask(system, bridge + AGENT_PATH, {}, signal)
  if (refusalCode(answer) !== undefined) return new AgentError('enrolment_unavailable')
  return new AgentError('bridge_not_found', `${bridge} answers, but not as a bridge does.`)
}

/** Whether this is an address of the bridge itself, safe to request, show and open. */
export function isWithin(url: unknown, bridge: string): url is string {
  if (typeof url !== 'string' || !URL.canParse(url) || /[^\x21-\x7e]/.test(url)) return false
  // Compares the resolved address, without dots.
  return new URL(url).href.startsWith(`${bridge}/`)
}
