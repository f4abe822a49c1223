import { AGENT_CLIENT_ID, DEVICE_PATHS, ENROL_SCOPE } from '@bridgekeeper/protocol'
import { AgentError } from '../errors.ts'
import type { PendingFlow } from '../keychain/record.ts'
import type { System } from '../system.ts'
import { ask, Unreachable } from './ask.ts'
import { isWithin, type ServerMetadata } from './discovery.ts'
import { refusal } from './refusal.ts'

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:device_code'
/** Default of RFC 8628 section 3.2. */
const INTERVAL_MS = 5_000
/** RFC 8628 section 3.5: added to the polling interval on `slow_down`. */
const SLOWER_MS = 5_000
const MAX_INTERVAL_MS = 60_000
/** Limits the polling if the bridge sends no expiry, or a distant one. */
const MAX_LIFETIME_MS = 1_800_000
const USER_CODE = /^[A-Za-z0-9-]{4,64}$/

export interface FlowRequest {
  readonly bridge: string
  readonly server: ServerMetadata
  readonly deviceName: string
  /** Thumbprint of the key that the user is to approve. */
  readonly deviceKey: string
}

/**
 * Asks for a code that the user approves in a browser.
 * Source: RFC 8628 sections 3.1 and 3.2.
 *
 * @throws AgentError, Unreachable
 */
export async function beginFlow(
  system: System,
  { bridge, server, deviceName, deviceKey }: FlowRequest,
  signal: AbortSignal,
): Promise<PendingFlow> {
  const form = {
    client_id: AGENT_CLIENT_ID,
    scope: ENROL_SCOPE,
    resource: resourceOf(bridge),
    device_name: deviceName,
    device_key: deviceKey,
  }
  const answer = await ask(system, server.deviceAuthorizationEndpoint, { form }, signal)
  if (answer.status !== 200) throw refusal(answer)
  const { device_code: deviceCode, user_code: userCode, verification_uri: verificationUri } = answer.body
  const { verification_uri_complete: complete, interval, expires_in: expiresIn } = answer.body
  if (typeof deviceCode !== 'string' || deviceCode === '' || deviceCode.length > 4_096) throw unusable()
  if (typeof userCode !== 'string' || !USER_CODE.test(userCode)) throw unusable()
  // The user opens this address, so an address of another site would be phishing.
  if (!isWithin(verificationUri, bridge)) throw unusable()
  return {
    ...{ deviceCode, userCode, verificationUri },
    ...(isWithin(complete, bridge) && { verificationUriComplete: complete }),
    intervalMs: Math.min(durationMs(interval) ?? INTERVAL_MS, MAX_INTERVAL_MS),
    expiresAtMs: system.nowMs() + Math.min(durationMs(expiresIn) ?? MAX_LIFETIME_MS, MAX_LIFETIME_MS),
  }
}

export type Polled =
  | { readonly is: 'pending'; readonly intervalMs: number }
  | { readonly is: 'approved'; readonly token: string }
  /** The code was used, has expired, or is unknown. */
  | { readonly is: 'over' }

/**
 * Asks once whether the user has approved it. Source: RFC 8628 sections 3.4 and 3.5.
 *
 * @param intervalMs the last wait; the next one is never shorter
 * @throws AgentError `enrolment_denied`, or the refusal of the bridge
 */
export async function poll(
  system: System,
  { bridge, server }: Pick<FlowRequest, 'bridge' | 'server'>,
  { deviceCode }: PendingFlow,
  intervalMs: number,
  signal: AbortSignal,
): Promise<Polled> {
  const form = {
    grant_type: GRANT_TYPE,
    client_id: AGENT_CLIENT_ID,
    device_code: deviceCode,
    resource: resourceOf(bridge),
  }
  try {
    const answer = await ask(system, server.tokenEndpoint, { form }, signal)
    const { access_token: token, error } = answer.body
    if (answer.status === 200) {
      if (typeof token !== 'string') throw unusable()
      return { is: 'approved', token }
    }
    if (error === 'authorization_pending') return { is: 'pending', intervalMs }
    if (error === 'slow_down') return { is: 'pending', intervalMs: intervalMs + SLOWER_MS }
    if (error === 'access_denied') throw new AgentError('enrolment_denied')
    if (error === 'expired_token' || error === 'invalid_grant') return { is: 'over' }
    throw refusal(answer)
  } catch (error) {
    if (!(error instanceof Unreachable) || signal.aborted) throw error
    // RFC 8628 section 3.5: doubles the interval after a time-out.
    return { is: 'pending', intervalMs: Math.min(intervalMs * 2, MAX_INTERVAL_MS) }
  }
}

function resourceOf(bridge: string): string {
  return bridge + DEVICE_PATHS.enrol
}

function durationMs(seconds: unknown): number | undefined {
  return typeof seconds === 'number' && seconds > 0 ? seconds * 1_000 : undefined
}

function unusable(): AgentError {
  return new AgentError(
    'answer_unusable',
    'It answered the request for approval with missing or invalid fields.',
  )
}
