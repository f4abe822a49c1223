/**
 * An agent that answers each call at once with a result made beforehand. It is the same towards the
 * relay and towards the bridge, where it first answers the challenge as a v1 agent.
 */
import { hash } from 'node:crypto'
import { WebSocket } from 'ws'
import { announce, type Login } from './child.ts'
import { RESULT_HEAD, RESULT_MIDDLE } from './frames.ts'
import { callToolResult, resultBytesOf } from './payload.ts'

const EXECUTE = Buffer.from('{"type":"tool_execute"')
const ID = '"id":"'
const TOOL = '"toolName":"'

const url = process.env.BENCH_URL ?? ''
const login = readLogin(process.env.BENCH_LOGIN)

/** A frame per size and length of id. Few: the ids of a target have one or two lengths. */
const frames = new Map<string, Buffer>()

const socket = new WebSocket(url, {
  perMessageDeflate: false,
  headers: login === undefined ? {} : { authorization: `Bearer ${login.token}` },
})
socket.on('open', () => {
  if (login === undefined) announce({ port: 0 })
})
socket.on('message', (frame: Buffer) => {
  if (frame.compare(EXECUTE, 0, EXECUTE.length, 0, EXECUTE.length) === 0) execute(frame)
  else other(JSON.parse(frame.toString()))
})
socket.on('close', (code, reason) => fail(`closed: ${code} ${reason}`))
socket.on('error', (error) => fail(error.message))

function readLogin(json: string | undefined): Login | undefined {
  return json === undefined ? undefined : (JSON.parse(json) as Login)
}

function execute(frame: Buffer): void {
  const answer = answerTo(member(frame, ID), member(frame, TOOL))
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

function other(message: { type: string; challenge?: string; error?: string }): void {
  switch (message.type) {
    case 'challenge': {
      const response = hash('sha256', `${message.challenge}${login?.userId}${login?.sessionId}`)
      socket.send(JSON.stringify({ type: 'challenge_response', response }))
      return
    }
    case 'challenge_verified':
      announce({ port: 0 })
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
