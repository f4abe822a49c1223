import {
  BridgeError,
  encodeToolExecute,
  isName,
  isTooDeep,
  objectMembers,
  type ProtocolVersion,
} from '@bridgekeeper/protocol'
import type { ToolCall } from '../calls/outcome.ts'
import { validateMessageSize } from '../gates/message-size.ts'

/**
 * The frame that asks an agent for a call.
 * @returns [CALL.6] the error where the agent could only refuse it: its caller would wait for nothing
 */
export function callFrame(id: string, call: ToolCall, version: ProtocolVersion): Buffer | BridgeError {
  const { serverName, toolName, rawArgs } = call
  const rawMeta = version === 'v1' ? undefined : call.rawMeta
  if (!isName(serverName)) return new BridgeError('server_not_found')
  if (!isName(toolName)) return new BridgeError('tool_name_invalid')
  const frame = encodeToolExecute({ id, serverName, toolName, rawArgs, rawMeta })
  if (!validateMessageSize(frame.length).allowed) return new BridgeError('arguments_too_large')
  if (call.bounded || objectMembers(frame) !== undefined) return frame
  return new BridgeError(isTooDeep(frame) ? 'arguments_too_deep' : 'arguments_invalid')
}
