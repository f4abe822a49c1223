import { BridgeError, encodeToolExecute, isName, objectMembers } from '@bridgekeeper/protocol'
import type { ToolCall } from '../calls/outcome.ts'
import { validateMessageSize } from '../gates/message-size.ts'

/**
 * The frame that asks an agent for a call.
 * @returns [CALL.6] the error where the agent could only refuse it: its caller would wait for nothing
 */
export function callFrame(id: string, call: ToolCall): Buffer | BridgeError {
  const { serverName, toolName, rawArgs } = call
  if (!isName(serverName)) return new BridgeError('server_not_found')
  if (!isName(toolName)) return new BridgeError('tool_name_invalid')
  const frame = encodeToolExecute({ id, serverName, toolName, rawArgs })
  if (!validateMessageSize(frame.length).allowed) return new BridgeError('arguments_too_large')
  const isBounded = call.bounded || objectMembers(frame) !== undefined
  return isBounded ? frame : new BridgeError('arguments_invalid')
}
