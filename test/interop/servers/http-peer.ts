import { bearer, MCP_HEADERS } from '../../support/mcp.ts'
import type { Answer, Peer } from './survey.ts'

const VERSION = '2025-11-25'

/** Speaks JSON-RPC with an MCP endpoint by hand. @param usesSession whether to name the session that the bridge began */
export function httpPeer(url: string, token: string, usesSession: boolean): Peer {
  let session: string | undefined
  let lastId = 0
  const post = async (message: object): Promise<readonly Answer[]> => {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        ...MCP_HEADERS,
        ...bearer(token),
        ...(session !== undefined && { 'mcp-protocol-version': VERSION }),
        ...(session !== undefined && usesSession && { 'mcp-session-id': session }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    })
    session ??= response.headers.get('mcp-session-id') ?? undefined
    return messagesIn(await response.text())
  }
  return {
    async request(method, params) {
      const id = ++lastId
      const messages = await post({ id, method, ...(params && { params }) })
      const answer = messages.find((message) => message.id === id && message.method === undefined)
      if (answer === undefined) throw new Error(`${method} was answered with ${JSON.stringify(messages)}`)
      return answer
    },
    async notify(method) {
      await post({ method })
    },
    async close() {
      if (session === undefined) return
      await fetch(url, { method: 'DELETE', headers: { ...bearer(token), 'mcp-session-id': session } })
    },
  }
}

/** The messages of a JSON answer or an event stream. */
function messagesIn(text: string): readonly Answer[] {
  if (text.startsWith('{')) return [JSON.parse(text)]
  const lines = text.split('\n').filter((line) => line.startsWith('data: {'))
  return lines.map((line) => JSON.parse(line.slice('data: '.length)))
}
