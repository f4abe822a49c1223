import {
  closeCodes,
  type ErrorCode,
  isErrorCode,
  isObject,
  mayReconnect,
  parseJson,
} from '@bridgekeeper/protocol'
import type { AgentError, AgentErrorCode } from '../errors.ts'
import { ProxyError } from '../proxy/tunnel.ts'

/** End of a connection, which decides the next step. */
export type Ending =
  | { readonly next: 'retry'; readonly reason: string; readonly afterMs?: number }
  /** The bridge does not support v2. */
  | { readonly next: 'speak-v1' }
  /** A newer token may do. */
  | { readonly next: 'renew-token' }
  | {
      readonly next: 'give-up'
      readonly code: AgentErrorCode
      readonly detail?: string
      /** Set if the cause is on this machine. */
      readonly error?: AgentError
    }

const MAX_RETRY_AFTER_MS = 15 * 60_000
/** Transient client errors: timeout, too early, too many requests. */
const PASSING_STATUSES: readonly number[] = [408, 425, 429]

/** Interprets an HTTP answer to the upgrade. */
export function endingOfHttp(answer: {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly body: string
}): Ending {
  const { status } = answer
  const reason = `The bridge answered with HTTP status ${status}.`
  const code = errorCodeIn(answer.body)
  if (status >= 500 || PASSING_STATUSES.includes(status) || code === 'address_blocked') {
    const afterMs = retryAfterMs(answer.retryAfter)
    return { next: 'retry', reason, ...(afterMs !== undefined && { afterMs }) }
  }
  if (status === 404) return { next: 'give-up', code: 'bridge_not_found' }
  if (code !== undefined) return refusal(code)
  return { next: 'give-up', code: 'bridge_refused', detail: `It answered with HTTP status ${status}.` }
}

/** Interprets the end of an open socket. */
export function endingOfClose(closeCode: number, closeReason: string): Ending {
  const code = isErrorCode(closeReason) ? closeReason : undefined
  if (closeCode === closeCodes.tokenExpired) return { next: 'renew-token' }
  if (mayReconnect(closeCode)) {
    return { next: 'retry', reason: `The connection closed (${code ?? closeCode}).` }
  }
  if (code !== undefined) return refusal(code)
  return {
    next: 'give-up',
    code: 'bridge_refused',
    detail: `It closed the connection with code ${closeCode}.`,
  }
}

/** Interprets a failure below HTTP. */
export function endingOfError(error: NodeJS.ErrnoException): Ending {
  if (error instanceof ProxyError) return { next: 'retry', reason: error.message }
  return { next: 'retry', reason: `The bridge cannot be reached (${error.code ?? error.message}).` }
}

function refusal(code: ErrorCode): Ending {
  return code === 'token_expired' ? { next: 'renew-token' } : { next: 'give-up', code }
}

/** Reads only the code. The text of an unverified bridge is never shown. */
function errorCodeIn(body: string): ErrorCode | undefined {
  const json = parseJson(body)?.value
  const error = isObject(json) ? json.error : undefined
  const code = isObject(error) ? error.code : undefined
  return typeof code === 'string' && isErrorCode(code) ? code : undefined
}

/** Source: RFC 9110 section 10.2.3; of its two forms, the one in seconds. */
function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,9}$/.test(header)) return undefined
  return Math.min(Number(header) * 1_000, MAX_RETRY_AFTER_MS)
}
