import {
  BridgeError,
  isJson,
  limits,
  type OutgoingFrame,
  openSchema,
  outgoingExchange,
} from '@bridgekeeper/protocol'
import { validateMessageSize } from '../gates/agent-socket.ts'
import type { Opening } from './exchange.ts'

/**
 * Encodes the frame that opens an exchange.
 * @returns the error if the agent would have to refuse it, so that its caller need not wait
 */
export function openFrame(id: string, opening: Opening, client: string): OutgoingFrame | BridgeError {
  const { serverName: server, kind, era, version, session, streams, resume, params, message } = opening
  const head = { type: 'open', id, server, kind, era, client, version, session, streams, resume, params }
  const valid = openSchema.safeParse(head)
  if (!valid.success) return new BridgeError('request_invalid', valid.error.issues[0]?.path.join('.'))
  const frame = outgoingExchange({ ...valid.data, message })
  const messageBytes = message?.length ?? 0
  if (messageBytes > limits.payloadBytes || !validateMessageSize(frame.head.length).allowed)
    return new BridgeError('arguments_too_large')
  return message === undefined || isJson(message) ? frame : new BridgeError('request_invalid')
}
