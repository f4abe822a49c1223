import { BridgeError, encodeExchange, objectMembers, openSchema } from '@bridgekeeper/protocol'
import { validateMessageSize } from '../gates/message-size.ts'
import type { Opening } from './exchange.ts'

/**
 * Encodes the frame that opens an exchange.
 * @returns the error if the agent would have to refuse it, so that its caller need not wait
 */
export function openFrame(id: string, opening: Opening, client: string): Buffer | BridgeError {
  const { serverName: server, kind, era, version, session, streams, resume, params, message } = opening
  const head = { type: 'open', id, server, kind, era, client, version, session, streams, resume, params }
  const valid = openSchema.safeParse(head)
  if (!valid.success) return new BridgeError('request_invalid', valid.error.issues[0]?.path.join('.'))
  const frame = encodeExchange({ ...valid.data, message })
  if (!validateMessageSize(frame.length).allowed) return new BridgeError('arguments_too_large')
  if (objectMembers(frame) !== undefined) return frame
  return new BridgeError('request_invalid')
}
