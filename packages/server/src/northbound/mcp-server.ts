import { BridgeError, type RawJson } from '@bridgekeeper/protocol'
import { type CallToolResult, ProtocolError, Server } from '@modelcontextprotocol/server'
import type { CallOutcome } from '../calls/outcome.ts'
import { resultOrThrow, ToolError } from '../calls/result.ts'
import { toRpcError } from './rpc-error.ts'
import type { ToolAddress } from './tool-names.ts'
import type { ToolView } from './tool-view.ts'

/** Runs one call to its end. Never rejects; aborting the signal cancels the call. */
export type RunCall = (address: ToolAddress, rawArgs: RawJson, signal: AbortSignal) => Promise<CallOutcome>

/**
 * The SDK's server over one view: everything of MCP but the plain `tools/call`, which the lean path
 * answers. One instance serves one request, so no two callers ever share one.
 */
export function createMcpServer(view: ToolView, runCall: RunCall): Server {
  const { serverInfo, instructions } = view.identity()
  const server = new Server(serverInfo, {
    capabilities: { tools: {} },
    ...(instructions !== undefined && { instructions }),
  })
  server.setRequestHandler('tools/list', () => ({ tools: [...orProtocolError(() => view.list())] }) as never)
  server.setRequestHandler('tools/call', async ({ params }, context) => {
    const address = orProtocolError(() => view.address(params.name))
    const rawArgs = Buffer.from(JSON.stringify(params.arguments ?? {}))
    return toResult(await runCall(address, rawArgs, context.mcpReq.signal))
  })
  return server
}

function toResult(outcome: CallOutcome): CallToolResult {
  try {
    return resultOrThrow(outcome) as CallToolResult
  } catch (error) {
    if (error instanceof ToolError) throw new ProtocolError(error.code, error.message, error.data)
    throw error instanceof BridgeError ? toProtocolError(error) : error
  }
}

function orProtocolError<T>(run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw error instanceof BridgeError ? toProtocolError(error) : error
  }
}

function toProtocolError(error: BridgeError): ProtocolError {
  const { code, message, data } = toRpcError(error)
  return new ProtocolError(code, message, data)
}
