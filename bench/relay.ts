/**
 * The bare relay, what everything is compared with: HTTP request → WebSocket → answer → HTTP
 * response, with no check and no login. It reads the request as JSON, and does to the answer only what
 * makes it a JSON-RPC response to that request. It trusts the exact bytes of `echo-agent.ts`.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { limits } from '@bridgekeeper/protocol'
import { type WebSocket, WebSocketServer } from 'ws'
import { announce, KEEP_ALIVE_MS } from './child.ts'
import { END_HEAD, MESSAGE_HEAD, MESSAGE_MIDDLE, RESULT_HEAD, RESULT_MIDDLE } from './frames.ts'

interface Waiting {
  readonly response: ServerResponse
  readonly rpcId: unknown
}

/** Node sends a short text together with the head in one write; of a long one, the copy costs more. */
const ONE_WRITE_BELOW_BYTES = 16_384
const HEADS = [RESULT_HEAD, MESSAGE_HEAD, END_HEAD]
/** Position of the first letter of a frame's type, by which the three differ. */
const KIND_AT = '{"type":"'.length

/**
 * The calls that wait, each at the place that is its id. Not a Map: V8 chains the tables that a busy
 * Map has outgrown, and once one is old, all later ones stay with their calls until a full collection.
 */
const waiting: (Waiting | undefined)[] = []
const freeIds: number[] = []
let agent: WebSocket | undefined

const http = createServer({ noDelay: true, keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
  readBody(request, (body) => forward(body, response))
})
const agents = new WebSocketServer({
  server: http,
  perMessageDeflate: false,
  maxPayload: limits.payloadBytes,
})
agents.on('connection', (socket) => {
  agent = socket
  socket.on('message', (frame: Buffer) => receive(frame))
})
http.listen(0, '127.0.0.1', () => announce({ port: (http.address() as AddressInfo).port }))

function readBody(request: IncomingMessage, done: (body: Buffer) => void): void {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const [first] = chunks
    done(first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks))
  })
}

function forward(body: Buffer, response: ServerResponse): void {
  const { id: rpcId, method, params } = JSON.parse(body.toString())
  const id = freeIds.pop() ?? waiting.length
  waiting[id] = { response, rpcId }
  if (method !== 'tools/call' || params._meta !== undefined) {
    agent?.send(`{"type":"open","id":"${id}",${MESSAGE_MIDDLE}${body}}`)
    return
  }
  const { name: toolName, arguments: args } = params
  agent?.send(JSON.stringify({ type: 'tool_execute', id: String(id), serverName: 'bench', toolName, args }))
}

function receive(frame: Buffer): void {
  const head = headOf(frame)
  const idEnd = frame.indexOf('"', head.length)
  const id = Number(frame.toString('latin1', head.length, idEnd))
  const call = waiting[id]
  if (call === undefined) return
  if (head === MESSAGE_HEAD) return passEvent(call, messageOf(frame, idEnd))
  waiting[id] = undefined
  freeIds.push(id)
  if (head === END_HEAD) end(call, messageOf(frame, idEnd))
  else respond(call, frame.subarray(idEnd + RESULT_MIDDLE.length, -1))
}

function headOf(frame: Buffer): string {
  const letter = frame[KIND_AT]
  return HEADS.find((head) => head.charCodeAt(KIND_AT) === letter) ?? RESULT_HEAD
}

function passEvent({ response }: Waiting, message: Buffer): void {
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(eventOf(message))
}

/** Ends a stream with its last event. Without a stream, the answer is JSON. */
function end({ response }: Waiting, message: Buffer): void {
  if (response.headersSent) {
    response.end(eventOf(message))
    return
  }
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': message.length })
  response.end(message.toString())
}

function messageOf(frame: Buffer, idEnd: number): Buffer {
  return frame.subarray(frame.indexOf(MESSAGE_MIDDLE, idEnd) + MESSAGE_MIDDLE.length, -1)
}

function eventOf(message: Buffer): string {
  return `event: message\ndata: ${message}\n\n`
}

function respond({ response, rpcId }: Waiting, result: Buffer): void {
  const head = `{"jsonrpc":"2.0","id":${JSON.stringify(rpcId)},"result":`
  const bodyBytes = Buffer.byteLength(head) + result.length + 1
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': bodyBytes })
  if (bodyBytes < ONE_WRITE_BELOW_BYTES) {
    response.end(`${head}${result.toString()}}`)
    return
  }
  response.cork()
  response.write(head)
  response.write(result)
  response.end('}')
  response.uncork()
}
