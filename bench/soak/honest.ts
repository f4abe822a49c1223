import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { connectAgent, toolsOf } from './agent.ts'
import type { SoakNode } from './node.ts'

/** Below the default limit of 100 calls a minute. */
const PAUSE_MS = 700
const TOOLS = 20

/** Results of honest clients in one phase. */
export interface Phase {
  /** Latencies of answered requests, in milliseconds. */
  readonly latenciesMs: readonly number[]
  /** Requests that were refused, or not answered. */
  readonly refusals: readonly string[]
}

/** An honest user: one machine, and one client that calls a tool and lists tools now and then. */
export class HonestClient {
  readonly #port: number
  readonly #token: string
  readonly #agent: Agent
  #id = 0

  private constructor(port: number, token: string, from: string) {
    this.#port = port
    this.#token = token
    const options = { keepAlive: true, maxSockets: 2, localAddress: from }
    this.#agent = new Agent(options)
  }

  static async start(node: SoakNode, name: string, from: string): Promise<HonestClient> {
    const user = await node.addUser(name)
    await connectAgent({ port: node.port, user, from, tools: toolsOf(TOOLS) })
    return new HonestClient(node.port, user.token, from)
  }

  /** Calls and lists in turn until the moment of `performance.now()`. */
  async run(untilMs: number): Promise<Phase> {
    const latenciesMs: number[] = []
    const refusals: string[] = []
    while (performance.now() < untilMs) {
      for (const method of ['tools/call', 'tools/list']) {
        const startMs = performance.now()
        const refusal = await this.#ask(method)
        if (refusal === undefined) latenciesMs.push(performance.now() - startMs)
        else refusals.push(`${method}: ${refusal}`)
      }
      await delay(PAUSE_MS)
    }
    return { latenciesMs, refusals }
  }

  close(): void {
    this.#agent.destroy()
  }

  /** @returns why it was refused; `undefined` if it was answered */
  #ask(method: string): Promise<string | undefined> {
    const params = method === 'tools/call' ? { name: 'tool_1', arguments: { page: 1 } } : {}
    const body = JSON.stringify({ jsonrpc: '2.0', id: ++this.#id, method, params })
    const options = {
      host: '127.0.0.1',
      port: this.#port,
      path: '/mcp/soak',
      method: 'POST',
      agent: this.#agent,
      headers: {
        authorization: `Bearer ${this.#token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-11-25',
        'content-length': Buffer.byteLength(body),
      },
    }
    return new Promise((resolve) => {
      const asked = request(options, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        response.on('end', () => {
          const isAnswered = response.statusCode === 200 && text.includes('"result"')
          resolve(isAnswered ? undefined : `${response.statusCode} ${text.slice(0, 200)}`)
        })
      })
      asked.on('error', (error) => resolve(error.message))
      asked.end(body)
    })
  }
}
