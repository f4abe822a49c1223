import { BridgeError, type EndFrame, type ExchangeKind, OPEN_BRACE } from '@bridgekeeper/protocol'
import { agentError } from '../calls/outcome.ts'
import type { ExchangeEnd } from './exchange.ts'

/** Converts the agent's last frame of an exchange. */
export function endOf({ status, message, number, code, error }: EndFrame, kind: ExchangeKind): ExchangeEnd {
  if (code !== undefined || error !== undefined) return failedEnd(agentError(code, error))
  const isAnswer = message === undefined ? kind !== 'request' : message[0] === OPEN_BRACE
  if (!isAnswer) return invalidEnd()
  return { kind: 'answered', status, message, number }
}

export function failedEnd(error: BridgeError): ExchangeEnd {
  return { kind: 'failed', error }
}

/** The end of an exchange whose agent broke the protocol. */
export function invalidEnd(): ExchangeEnd {
  return failedEnd(new BridgeError('result_invalid'))
}
