import { isErrorCode, isObject } from '@bridgekeeper/protocol'
import { AgentError } from '../errors.ts'
import { type Answer, Unreachable } from './ask.ts'

/** Transient client errors: timeout, too early, too many requests. */
const PASSING: readonly number[] = [408, 425, 429]

/** Reads the stable code of a refusal. The text of an unverified bridge is never shown. */
export function refusalCode({ body }: Answer) {
  const code = isObject(body.error) ? body.error.code : undefined
  return typeof code === 'string' && isErrorCode(code) ? code : undefined
}

/** Converts an unexpected answer to an error: final, or worth a retry. */
export function refusal(answer: Answer): AgentError | Unreachable {
  const { status } = answer
  const code = refusalCode(answer)
  if (status >= 500 || PASSING.includes(status) || code === 'address_blocked')
    return new Unreachable(
      `The bridge answered with HTTP status ${status}${code === undefined ? '' : ` (${code})`}.`,
    )
  if (code !== undefined) return new AgentError(code)
  if (status === 404) return new AgentError('bridge_not_found')
  return new AgentError('bridge_refused', `It answered with HTTP status ${status}.`)
}
