import {
  BridgeError,
  encodeToolExecute,
  isJson,
  isName,
  limits,
  type OutgoingFrame,
  outgoingCall,
  type ProtocolVersion,
} from '@bridgekeeper/protocol'
import type { ToolCall } from '../calls/outcome.ts'
import { validateMessageSize } from '../gates/message-size.ts'

/**
 * Encodes a call for an agent.
 * @returns [CALL.6] the error if the agent would have to refuse it, so that its caller need not wait
 */
export function callFrame(id: string, call: ToolCall, version: ProtocolVersion): OutgoingFrame | BridgeError {
  const { serverName, toolName, rawArgs } = call
  const rawMeta = version === 'v1' ? undefined : call.rawMeta
  if (!isName(serverName)) return new BridgeError('server_not_found')
  if (!isName(toolName)) return new BridgeError('tool_name_invalid')
  const named = { id, serverName, toolName, rawArgs, rawMeta }
  const frame = version === 'v1' ? { id, head: encodeToolExecute(named), isLast: true } : outgoingCall(named)
  if (rawArgs.length > limits.payloadBytes || !validateMessageSize(frame.head.length).allowed)
    return new BridgeError('arguments_too_large')
  return call.bounded || isJson(rawArgs) ? frame : new BridgeError('arguments_invalid')
}
