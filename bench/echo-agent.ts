/**
 * An agent that answers each call at once with a result made beforehand. It is the same towards the
 * relay and towards the bridge, where it first answers the challenge by echo, as a v2 agent without a device.
 */
import { hash } from 'node:crypto'
import { ChunkSender, limits, outgoingResult, SUBPROTOCOL_V2 } from '@bridgekeeper/protocol'
import { WebSocket } from 'ws'
import { announce, type Login } from './child.ts'
import {
  CATALOG,
  endFrame,
  INITIALIZED,
  MESSAGE_HEAD,
  MESSAGE_MIDDLE,
  RESULT_HEAD,
  RESULT_MIDDLE,
} from './frames.ts'
import { callToolResult, promptResult, resultBytesOf } from './payload.ts'
import { NOTIFICATIONS } from './rows.ts'

interface Opened {
  readonly id: string
  readonly message: {
    readonly id: unknown
    readonly method: string
    readonly params: { readonly name: string; readonly _meta?: { readonly progressToken: unknown } }
  }
}

/** Frames that are not calls. */
type Other =
  | { readonly type: 'challenge'; readonly challenge: string }
  | { readonly type: 'credit'; readonly id: string; readonly bytes: number }
  | { readonly type: 'tool_cancel'; readonly id: string }
  | ({ readonly type: 'open' } & Opened)
  | { readonly type: 'challenge_verified' | 'ping' | 'pong' | 'done' | 'detach' }

const EXECUTE = Buffer.from('{"type":"tool_execute"')
const ID = '"id":"'
const TOOL = '"toolName":"'

const url = process.env.BENCH_URL ?? ''
const login = readLogin(process.env.BENCH_LOGIN)

/** A frame per size and length of id. Few: the ids of a target have one or two lengths. */
const frames = new Map<string, Buffer>()

/** Results for the bridge that do not fit into one frame, by tool. */
const largeResults = new Map<string, Buffer>()

const socket = new WebSocket(url, login === undefined ? [] : [SUBPROTOCOL_V2], {
  perMessageDeflate: false,
  headers: login === undefined ? {} : { authorization: `Bearer ${login.token}` },
})
const chunks = new ChunkSender({
  text: (frame) => socket.send(frame, { binary: false }),
  binary: (frame, sent) => socket.send(frame, { binary: true }, sent),
})
socket.on('open', () => {
  if (login === undefined) announce({ port: 0 })
})
socket.on('message', (frame: Buffer) => {
  if (frame.subarray(0, EXECUTE.length).equals(EXECUTE)) execute(frame)
  else other(JSON.parse(frame.toString()))
})
socket.on('close', (code, reason) => fail(`closed: ${code} ${reason}`))
socket.on('error', (error) => fail(error.message))

function readLogin(json: string | undefined): Login | undefined {
  return json === undefined ? undefined : (JSON.parse(json) as Login)
}

function execute(frame: Buffer): void {
  const id = member(frame, ID)
  const toolName = member(frame, TOOL)
  if (login !== undefined && resultBytesOf(toolName) > limits.messageBytes) return sendLarge(id, toolName)
  const answer = answerTo(id, toolName)
  // The socket masks a copy before it returns, so the frame can be used again.
  socket.send(answer, { binary: false })
}

/** Finds a string member by its bytes; sound here since both targets put `args` last. */
function member(frame: Buffer, key: string): string {
  const start = frame.indexOf(key) + key.length
  return frame.toString('latin1', start, frame.indexOf('"', start))
}

function answerTo(id: string, toolName: string): Buffer {
  const key = `${toolName} ${id.length}`
  let answer = frames.get(key)
  if (answer === undefined) {
    const head = Buffer.from(RESULT_HEAD + id + RESULT_MIDDLE)
    answer = Buffer.concat([head, callToolResult(resultBytesOf(toolName)), Buffer.from('}')])
    frames.set(key, answer)
  }
  answer.write(id, RESULT_HEAD.length, 'latin1')
  return answer
}

/** The relay takes a result of any size in one frame. */
function sendLarge(id: string, toolName: string): void {
  const result = largeResults.get(toolName) ?? callToolResult(resultBytesOf(toolName))
  largeResults.set(toolName, result)
  chunks.send(outgoingResult(id, result))
}

/** Answers an exchange. The bridge also wants to know when the local server has the request. */
function answerOpen({ id, message: { id: rpcId, method, params } }: Opened): void {
  if (login !== undefined) socket.send(`{"type":"accepted","id":"${id}"}`)
  if (method === 'initialize') return socket.send(endFrame(id, rpcId, INITIALIZED))
  const token = params._meta?.progressToken
  if (token === undefined) {
    const result = promptResult(resultBytesOf(params.name))
    return socket.send(endFrame(id, rpcId, result.toString(), '"number":1,'))
  }
  for (let number = 1; number <= NOTIFICATIONS; number++) {
    const note = { progressToken: token, progress: number, total: NOTIFICATIONS }
    const message = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/progress', params: note })
    socket.send(`${MESSAGE_HEAD}${id}","number":${number},${MESSAGE_MIDDLE}${message}}`)
  }
  const result = callToolResult(resultBytesOf(params.name))
  socket.send(endFrame(id, rpcId, result.toString(), `"number":${NOTIFICATIONS + 1},`))
}

function other(message: Other): void {
  switch (message.type) {
    case 'challenge': {
      const response = hash('sha256', `${message.challenge}${login?.userId}${login?.sessionId}`)
      socket.send(JSON.stringify({ type: 'challenge_response', response }))
      return
    }
    case 'challenge_verified':
      socket.send(CATALOG)
      // Its answer means that the bridge has read the catalog.
      socket.send('{"type":"ping"}')
      return
    case 'pong':
      announce({ port: 0 })
      return
    case 'open':
      return answerOpen(message)
    case 'credit':
      chunks.credit(message.id, message.bytes)
      return
    case 'tool_cancel':
      return chunks.drop(message.id)
    case 'done':
    case 'detach':
      return
    case 'ping':
      socket.send('{"type":"pong"}')
      return
    default:
      fail(`unexpected message: ${JSON.stringify(message)}`)
  }
}

function fail(why: string): never {
  console.error(`echo-agent: ${why}`)
  process.exit(1)
}
