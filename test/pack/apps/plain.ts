import { createServer } from 'node:http'
import { BridgeError, type BridgeEvents, createBridge, type ErrorCode, ToolError } from '@bridgekeeper/bridge'

const bridge = createBridge({ authenticate: (token) => ({ userId: token, sessionId: token }) })
bridge.attach(createServer())
bridge.on('tools-changed', async ({ userId }: BridgeEvents['tools-changed']) => {
  const signal = AbortSignal.timeout(1_000)
  const { content, isError } = await bridge.callTool(userId, 'notes', 'list', {}, { signal })
  const text: string[] = (content ?? []).map(({ type }) => `${type}: ${isError === true}`)
  process.stdout.write(text.join('\n'))
})

export function codeOf(error: unknown): ErrorCode | number | undefined {
  return error instanceof BridgeError || error instanceof ToolError ? error.code : undefined
}
