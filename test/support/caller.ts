import { agentWith } from './agents.ts'
import { startBridge } from './bridge.ts'
import { bearer, MODERN, post } from './mcp.ts'

/** No double holds it. */
export const BIG = '12345678901234567890'
/** A result with numbers that JSON.parse changes. */
export const RESULT = `{"content":[],"structuredContent":{"n":${BIG},"e":1e400,"f":1.0}}`

/** A bridge with one agent, and a caller of the same user. */
export async function setUpCaller() {
  const at = await startBridge()
  const peer = await agentWith(at, 'ann', 'notes', 'read')
  const auth = bearer((await at.token('ann')).accessToken)
  const frames: string[] = []
  peer.socket.on('message', (data) => frames.push(String(data)))
  const ask = (body: string | Buffer | object, headers: Record<string, string> = {}, path = '/mcp/notes') =>
    post(at, path, body, { ...auth, ...headers })
  /** Answers the next call with `RESULT`, byte for byte. */
  const answer = async (): Promise<void> => {
    const { id } = await peer.next('tool_execute')
    peer.send(`{"type":"tool_result","id":"${id}","success":true,"result":${RESULT}}`)
  }
  return { at, peer, auth, ask, answer, frames }
}

export const callText = (id: string, args = '{}') =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"read","arguments":${args}}}`

/** Contents of `_meta` in each request of the 2026 revision. */
export const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': MODERN,
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}
