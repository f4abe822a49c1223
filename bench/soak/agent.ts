import { hash } from 'node:crypto'
import { canonicalJson, SUBPROTOCOL_V2 } from '@bridgekeeper/protocol'
import { WebSocket } from 'ws'
import type { SoakUser } from './node.ts'

const READY_MS = 10_000

/** A frame from the bridge. */
interface Frame {
  readonly type: string
  readonly id?: string
  readonly challenge?: string
}

export interface AgentOptions {
  readonly port: number
  readonly user: SoakUser
  /** Source address, within 127.0.0.0/8. */
  readonly from: string
  readonly tools: readonly object[]
}

/** Connects an agent with one server, `soak`, whose tools answer at once. Resolves once it is verified. */
export function connectAgent({ port, user, from, tools }: AgentOptions): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/api/mcp-ws`, SUBPROTOCOL_V2, {
    perMessageDeflate: false,
    localAddress: from,
    headers: { authorization: `Bearer ${user.token}` },
  })
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the agent was not verified in time')), READY_MS)
    socket.on('error', reject)
    socket.on('close', (code, reason) => reject(new Error(`the agent was closed: ${code} ${reason}`)))
    socket.on('message', (bytes) => {
      const frame = JSON.parse(String(bytes)) as Frame
      if (frame.type !== 'challenge_verified') return answer(socket, user, frame)
      clearTimeout(timer)
      socket.send(catalogFrame(tools))
      resolve(socket)
    })
  })
}

/** A catalog whose only server has these tools. */
export function catalogFrame(tools: readonly object[]): string {
  const described = tools.map((definition) => ({
    hash: hash('sha256', canonicalJson({ ...definition })),
    definition,
  }))
  const serverInfo = { name: 'soak', version: '1.0.0' }
  const server = { name: 'soak', state: 'ready', serverInfo, tools: described }
  return JSON.stringify({ type: 'catalog', servers: [server] })
}

/** So many tools with a description of ordinary length. */
export function toolsOf(count: number): readonly object[] {
  return Array.from({ length: count }, (_, n) => ({
    name: `tool_${n}`,
    description: 'Reads one page of a document and says what it is about, in a sentence or two.',
    inputSchema: { type: 'object', properties: { page: { type: 'number' } }, required: ['page'] },
  }))
}

function answer(socket: WebSocket, user: SoakUser, { type, id, challenge }: Frame): void {
  if (type === 'challenge') {
    const response = hash('sha256', `${challenge}${user.userId}${user.sessionId}`)
    socket.send(JSON.stringify({ type: 'challenge_response', response }))
  }
  if (type === 'ping') socket.send('{"type":"pong"}')
  if (type !== 'tool_execute') return
  const result = { content: [{ type: 'text', text: 'done' }] }
  socket.send(JSON.stringify({ type: 'tool_result', id, success: true, result }))
}
