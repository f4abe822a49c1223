import type { IncomingMessage } from 'node:http'
import { type NodeIncomingMessageLike, toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, Server } from '@modelcontextprotocol/server'
import type { OpenRequest } from './open-request.ts'
import type { ToolView } from './tool-view.ts'

/** Has the SDK's server answer `subscriptions/listen`, the one request of the 2026 revision that stays open. */
export async function serveBySdk(
  request: IncomingMessage,
  open: OpenRequest,
  view: ToolView,
  body: unknown,
): Promise<void> {
  const serverInfo = JSON.parse(view.serverIdentity().serverInfo)
  const handler = createMcpHandler(() => new Server(serverInfo, { capabilities: { tools: {} } }))
  open.onEnd(() => void handler.close())
  open.watch()
  // The SDK requires what a caller may leave out.
  request.headers['content-type'] = 'application/json'
  await toNodeHandler(handler)(request as NodeIncomingMessageLike, open.response, body)
  open.sent()
}
