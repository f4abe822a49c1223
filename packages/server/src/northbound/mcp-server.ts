import { BridgeError, isObject, type RawJson, type ToolDefinition } from '@bridgekeeper/protocol'
import {
  type CallToolResult,
  type ListToolsResult,
  ProtocolError,
  Server,
} from '@modelcontextprotocol/server'
import type { CallOutcome } from '../calls/outcome.ts'
import { resultOrThrow, ToolError } from '../calls/result.ts'
import { toRpcError } from './rpc-error.ts'
import type { ToolAddress } from './tool-names.ts'
import type { ToolView } from './tool-view.ts'

/** Runs one call to its end. Never rejects; aborting the signal cancels the call. */
export type RunCall = (address: ToolAddress, rawArgs: RawJson, signal: AbortSignal) => Promise<CallOutcome>

/** @throws BridgeError when there is no list, or no room for it */
export type ListTools = () => readonly ToolDefinition[]

/**
 * The SDK's server over one view: everything of MCP but the plain `tools/call`, which the lean path
 * answers. One instance serves one request, so no two callers ever share one.
 */
export function createMcpServer(view: ToolView, listTools: ListTools, runCall: RunCall): Server {
  const { serverInfo, instructions } = view.identity()
  const server = new Server(serverInfo, {
    capabilities: { tools: {} },
    ...(instructions !== undefined && { instructions }),
  })
  server.setRequestHandler('tools/list', () =>
    // Definitions are the local server's affair: they pass as they are, whatever the SDK's type says.
    asProtocolErrors(() => ({ tools: [...listTools()] }) as ListToolsResult),
  )
  server.setRequestHandler('tools/call', ({ params }, { mcpReq }) =>
    asProtocolErrors(async () => {
      const rawArgs = Buffer.from(JSON.stringify(params.arguments ?? {}))
      const address = view.address(params.name)
      if (address instanceof BridgeError) throw address
      const outcome = await runCall(address, rawArgs, mcpReq.signal)
      const result = resultOrThrow(outcome)
      if (!isObject(result)) throw new BridgeError('result_invalid')
      return result as CallToolResult
    }),
  )
  return server
}

async function asProtocolErrors<T>(run: () => T | Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof ToolError) throw new ProtocolError(error.code, error.message, error.data)
    if (!(error instanceof BridgeError)) throw error
    const { code, message, data } = toRpcError(error)
    throw new ProtocolError(code, message, data)
  }
}
