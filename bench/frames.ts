/** The exact bytes of the frames that the echoing agent sends, which the relay relies on. */
export const RESULT_HEAD = '{"type":"tool_result","id":"'
export const RESULT_MIDDLE = '","success":true,"result":'
export const MESSAGE_HEAD = '{"type":"message","id":"'
export const END_HEAD = '{"type":"end","id":"'
/** Comes before the JSON-RPC message of a frame, which is its last member. */
export const MESSAGE_MIDDLE = '"message":'

/** Frame by which an agent reports its one local server, which takes exchanges. */
export const CATALOG = JSON.stringify({
  type: 'catalog',
  servers: [
    {
      state: 'ready',
      name: 'bench',
      serverInfo: { name: 'bench', version: '1' },
      capabilities: { tools: {}, prompts: {} },
      eras: ['2025'],
      tools: [],
    },
  ],
})

/** The result of `initialize`. */
export const INITIALIZED = JSON.stringify({
  protocolVersion: '2025-11-25',
  capabilities: { tools: {}, prompts: {} },
  serverInfo: { name: 'bench', version: '1' },
})

/** Frame that ends an exchange. @param members more of its members, each with a comma after it */
export function endFrame(id: string, rpcId: unknown, result: string, members = ''): string {
  const message = `{"jsonrpc":"2.0","id":${JSON.stringify(rpcId)},"result":${result}}`
  return `${END_HEAD}${id}","status":200,${members}${MESSAGE_MIDDLE}${message}}`
}
