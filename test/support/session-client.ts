import { onTestFinished } from 'vitest'
import { showOnFailure, within } from './last-seen.ts'
import { MCP_HEADERS, type RpcAnswer } from './mcp.ts'

// biome-ignore lint/suspicious/noExplicitAny: a message under test has any shape
type Json = any

const VERSION = '2025-11-25'

/** A client with an MCP session that keeps everything it gets. Its requests are written by hand. */
export class SessionClient {
  readonly url: string
  /** Headers of each of its requests. */
  headers: Record<string, string>
  /** Messages of all streams, in their order. */
  readonly messages: Json[] = []
  /** Everything that it got, as it came. */
  heard = ''
  /** Ids of events. */
  readonly eventIds: string[] = []
  #lastId = 0
  #waiting = new Set<() => void>()

  constructor(url: string, headers: Record<string, string>) {
    this.url = url
    this.headers = headers
    showOnFailure('a client with a session', () => this.heard)
  }

  static async begin(
    url: string,
    auth: Record<string, string>,
    capabilities: object,
  ): Promise<SessionClient> {
    const client = new SessionClient(url, auth)
    const clientInfo = { name: 'c', version: '1' }
    const { headers } = await client.post(
      client.rpc('initialize', { protocolVersion: VERSION, capabilities, clientInfo }),
    )
    const session = headers.get('mcp-session-id')
    if (session === null) throw new Error(`no session: ${client.heard}`)
    client.headers = { ...auth, 'mcp-session-id': session, 'mcp-protocol-version': VERSION }
    await client.post({ jsonrpc: '2.0', method: 'notifications/initialized' })
    return client
  }

  rpc(method: string, params: object = {}): { id: number; method: string } & Json {
    return { jsonrpc: '2.0', id: ++this.#lastId, method, params }
  }

  /** Posts a message, or any body, and reads the answer to its end. */
  async post(body: object | string, headers: Record<string, string> = {}): Promise<RpcAnswer> {
    const response = await this.#fetch('POST', headers, body)
    const text = await this.#read(response)
    return { status: response.status, headers: response.headers, text, json: this.#parse(text) }
  }

  /** Sends a request. @returns its answer */
  async request(method: string, params: object = {}): Promise<Json> {
    const message = this.rpc(method, params)
    await this.post(message)
    return this.next((answer) => answer.id === message.id && answer.method === undefined)
  }

  call(name: string, args: object = {}, _meta?: object): Promise<Json> {
    return this.request('tools/call', { name, arguments: args, ...(_meta && { _meta }) })
  }

  /** Answers a request of the server. */
  answer(id: unknown, result: object): Promise<RpcAnswer> {
    return this.post({ jsonrpc: '2.0', id, result })
  }

  /** Reads by GET. @returns the status; `ended` resolves when the stream ends */
  async listen(headers: Record<string, string> = {}): Promise<{ status: number; ended: Promise<string> }> {
    const response = await this.#fetch('GET', { accept: 'text/event-stream', ...headers })
    return { status: response.status, ended: this.#read(response) }
  }

  /** The first message, also of those so far, that meets the condition. */
  next(isIt: (message: Json) => boolean): Promise<Json> {
    return within(this.#next(isIt), `message for ${isIt}`, () => this.heard)
  }

  async #next(isIt: (message: Json) => boolean): Promise<Json> {
    for (;;) {
      const found = this.messages.find(isIt)
      if (found !== undefined) return found
      await new Promise<void>((resolve) => this.#waiting.add(resolve))
    }
  }

  #fetch(method: string, headers: Record<string, string>, body?: object | string): Promise<Response> {
    const leave = new AbortController()
    onTestFinished(() => leave.abort())
    return fetch(this.url, {
      method,
      headers: { ...(method === 'POST' && MCP_HEADERS), ...this.headers, ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: leave.signal,
    })
  }

  /** Reads to the end, or until the stream is cut. */
  async #read(response: Response): Promise<string> {
    const decoder = new TextDecoder()
    let text = ''
    let seen = 0
    try {
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk, { stream: true })
        for (let end = text.indexOf('\n\n', seen); end !== -1; end = text.indexOf('\n\n', seen)) {
          this.#event(text.slice(seen, end))
          seen = end + 2
        }
      }
    } catch {
      // The stream was cut.
    }
    this.heard += text.slice(seen)
    const whole = this.#parse(text)
    if (whole !== undefined) this.#add(...[whole].flat())
    return text
  }

  #event(block: string): void {
    this.heard += `${block}\n\n`
    const id = /^id: (.*)$/m.exec(block)?.[1]
    if (id !== undefined) this.eventIds.push(id)
    const message = this.#parse(/^data: ([^\n]+)$/m.exec(block)?.[1] ?? '')
    if (message !== undefined) this.#add(message)
  }

  #add(...messages: readonly Json[]): void {
    this.messages.push(...messages)
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }

  #parse(text: string): Json {
    try {
      return JSON.parse(text)
    } catch {
      return undefined
    }
  }
}
