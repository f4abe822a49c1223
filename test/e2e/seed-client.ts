import { createHash } from 'node:crypto'
import type { IssuedToken } from '@bridgekeeper/bridge'
import WebSocket from 'ws'
import { atEnd } from '../support/at-end.ts'

type Message = Readonly<Record<string, unknown>>
type RunTool = (server: unknown, tool: unknown, args: unknown) => unknown

/**
 * The client of the seed's Appendix B, as an app that has it would run it: it connects with the cookie
 * and nothing else, answers the challenge, pings, and runs the tools that it is asked for.
 */
export class SeedClient {
  /** The types of all messages that it got, in order. */
  readonly received: string[] = []
  readonly closed: Promise<{ code: number; reason: string }>
  readonly #socket: WebSocket
  readonly #identity: Pick<IssuedToken, 'userId' | 'sessionId'>
  readonly #runTool: RunTool
  #challengeVerified = false

  constructor(url: string, issued: IssuedToken, runTool: RunTool = () => null) {
    this.#identity = issued
    this.#runTool = runTool
    this.#socket = new WebSocket(url, { headers: { cookie: `accessToken=${issued.accessToken}` } })
    this.#socket.on('message', (data) => this.#handle(JSON.parse(String(data)) as Message))
    this.#socket.on('error', () => {})
    this.closed = new Promise((resolve) =>
      this.#socket.on('close', (code, reason) => {
        this.#challengeVerified = false
        resolve({ code, reason: String(reason) })
      }),
    )
    atEnd(() => this.#socket.terminate())
  }

  get challengeVerified(): boolean {
    return this.#challengeVerified
  }

  ping(): void {
    this.#send({ type: 'ping' })
  }

  #handle(message: Message): void {
    this.received.push(message.type === 'error' ? `error ${message.error}` : String(message.type))
    if (message.type === 'challenge') this.#answer(String(message.challenge))
    if (message.type === 'challenge_verified') this.#challengeVerified = true
    if (message.type === 'tool_execute' && this.#challengeVerified) this.#execute(message)
  }

  #answer(challenge: string): void {
    const { userId, sessionId } = this.#identity
    const response = createHash('sha256')
      .update(challenge + userId + sessionId)
      .digest('hex')
    this.#send({ type: 'challenge_response', response })
  }

  #execute({ id, serverName, toolName, args }: Message): void {
    try {
      const result = this.#runTool(serverName, toolName, args)
      this.#send({ type: 'tool_result', id, success: true, result })
    } catch (error) {
      this.#send({ type: 'tool_result', id, success: false, error: String(error) })
    }
  }

  #send(message: Message): void {
    this.#socket.send(JSON.stringify(message))
  }
}
