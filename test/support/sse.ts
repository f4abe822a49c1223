import { onTestFinished } from 'vitest'
import type { TestBridge } from './bridge.ts'
import { showOnFailure, within } from './last-seen.ts'
import { MCP_HEADERS } from './mcp.ts'

/** One event, or a comment. */
export interface SseEvent {
  readonly id?: string
  readonly data?: string
  readonly retry?: string
  readonly comment?: string
}

/** An HTTP answer that is read event by event. */
export class EventReader {
  readonly response: Response
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  readonly #leave: AbortController
  #text = ''
  #events: SseEvent[] = []

  constructor(response: Response, leave: AbortController) {
    this.response = response
    this.#leave = leave
    showOnFailure('a stream of events', () => `${response.status} ${this.#text}`)
  }

  /** The next event or comment; `undefined` after the last one. */
  next(): Promise<SseEvent | undefined> {
    return within(this.#next(), 'event', () => this.#text)
  }

  /** Every event until the end of the stream. */
  async rest(): Promise<readonly SseEvent[]> {
    const events: SseEvent[] = []
    for (let event = await this.next(); event !== undefined; event = await this.next()) events.push(event)
    return events
  }

  /** The client disconnects. */
  leave(): void {
    this.#leave.abort()
  }

  async #next(): Promise<SseEvent | undefined> {
    this.#reader ??= this.response.body?.getReader()
    while (this.#events.length === 0) {
      const { done = true, value } = (await this.#reader?.read()) ?? {}
      if (done) return undefined
      this.#text += Buffer.from(value ?? []).toString('utf8')
      const blocks = this.#text.split('\n\n')
      this.#text = blocks.pop() ?? ''
      this.#events = blocks.map(eventOf)
    }
    return this.#events.shift()
  }
}

/** Sends a request, and reads its answer as events. */
export async function openEvents(
  bridge: Pick<TestBridge, 'url'>,
  path: string,
  headers: Readonly<Record<string, string>>,
  body?: object,
): Promise<EventReader> {
  const leave = new AbortController()
  onTestFinished(() => leave.abort())
  const response = await fetch(bridge.url + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { ...(body === undefined ? { accept: 'text/event-stream' } : MCP_HEADERS), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: leave.signal,
  })
  return new EventReader(response, leave)
}

function eventOf(block: string): SseEvent {
  const event: Record<string, string> = {}
  for (const line of block.split('\n')) {
    const at = line.indexOf(':')
    const [name, value] = [line.slice(0, at), line.slice(at + 1).replace(/^ /, '')]
    if (name === 'event') continue
    const key = name === '' ? 'comment' : name
    event[key] = event[key] === undefined ? value : `${event[key]}\n${value}`
  }
  return event
}
