import { createMCPClient } from '@ai-sdk/mcp'
import { MCPServerStreamableHttp, setTracingDisabled } from '@openai/agents'
import { atEnd } from '../../support/at-end.ts'
import { bearer } from '../../support/mcp.ts'
import type { ClientKind, InteropClient, Target } from './client.ts'

/** Libraries that apps call models with. */
export const LIBRARIES: readonly ClientKind[] = [
  { name: '@ai-sdk/mcp 2.0.99', connect: aiSdk },
  { name: '@openai/agents 0.20.0', connect: openAiAgents },
]

async function aiSdk({ url, token }: Target): Promise<InteropClient> {
  const client = await createMCPClient({ transport: { type: 'http', url, headers: bearer(token) } })
  atEnd(() => client.close())
  return {
    tools: async () => Object.keys(await client.tools()),
    // Calls the tool like `generateText` of the AI SDK.
    async call(name, args, signal) {
      const tool = (await client.tools())[name]
      const options = {
        toolCallId: 'call-1',
        messages: [],
        context: {},
        ...(signal && { abortSignal: signal }),
      }
      return tool?.execute(args, options)
    },
    prompts: async () => (await client.listPrompts()).prompts.map(({ name }) => name),
    prompt: (name) => client.getPrompt({ name }),
    resources: async () => (await client.listResources()).resources.map(({ uri }) => uri),
    read: (uri) => client.readResource({ uri }),
  }
}

async function openAiAgents({ url, token }: Target): Promise<InteropClient> {
  // Otherwise it would send traces to its vendor.
  setTracingDisabled(true)
  const server = new MCPServerStreamableHttp({ url, requestInit: { headers: bearer(token) } })
  atEnd(() => server.close())
  await server.connect()
  return {
    tools: async () => (await server.listTools()).map(({ name }) => name),
    call: (name, args, signal) => server.callTool(name, args, null, { ...(signal && { signal }) }),
    resources: async () => (await server.listResources()).resources.map(({ uri }) => uri),
    read: (uri) => server.readResource(uri),
  }
}
