import type { IncomingMessage } from 'node:http'
import { BridgeError } from '@bridgekeeper/protocol'
import { type NodeIncomingMessageLike, toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler } from '@modelcontextprotocol/server'
import { failed } from '../calls/outcome.ts'
import { denialError } from '../gates/verdict.ts'
import type { Dispatcher } from '../router/dispatcher.ts'
import { createMcpServer, type ListTools, type RunCall } from './mcp-server.ts'
import type { OpenRequest } from './open-request.ts'
import type { ToolView } from './tool-view.ts'

/** Has the SDK's server answer a request that the lean path does not take. */
export async function serveBySdk(
  request: IncomingMessage,
  open: OpenRequest,
  view: ToolView,
  dispatcher: Dispatcher,
  body: unknown,
): Promise<void> {
  const runCall: RunCall = async (address, rawArgs, signal) => {
    const outcome = await dispatcher.run(open.caller, { ...address, rawArgs }, signal)
    return open.hasEnded ? failed(new BridgeError('login_revoked')) : outcome
  }
  // [LOAD.2] The SDK serialises a list anew for each message, and holds it until the caller takes it.
  const listTools: ListTools = () => {
    const refused = open.hold(view.listJson().length)
    if (refused !== undefined) throw denialError(refused)
    return view.list()
  }
  const handler = createMcpHandler(() => createMcpServer(view, listTools, runCall))
  open.onEnd(() => void handler.close())
  open.watch()
  await toNodeHandler(handler)(request as NodeIncomingMessageLike, open.response, body)
  open.sent()
}
