import { fileURLToPath } from 'node:url'
import { decodeUp, type EndFrame, type MessageFrame, type OpenFrame } from '@bridgekeeper/protocol'
import { COMPILE_CACHE } from '../../../../test/support/compile-cache.ts'
import type { StdioEntry } from '../../src/config/entry.ts'
import type { AgentEvent } from '../../src/events.ts'
import { OpenExchanges } from '../../src/exchanges/open-exchanges.ts'
import type { ExchangeServers } from '../../src/exchanges/server-port.ts'
import { SessionFile } from '../../src/exchanges/session-file.ts'
import { realSystem, type System } from '../../src/system.ts'
import { runReady } from './local.ts'
import { until } from './until.ts'

export type Frame = MessageFrame | EndFrame | { readonly type: 'accepted'; readonly id: string }
type Json = Record<string, unknown>

/** Differences of an exchange from a stateless request of the 2025 era that can stream. */
export type Opened = Partial<Omit<OpenFrame, 'type' | 'message'>> & { readonly message?: unknown }

/** Exchanges, as the bridge sees them. */
export class Bridge {
  readonly exchanges: OpenExchanges
  readonly events: AgentEvent[] = []
  /** Events of the local server. */
  serverEvents: readonly AgentEvent[] = []
  frames: Frame[] = []
  /** Exchanges that send more than the bridge reads. */
  readonly flooding = new Set<string>()
  /** Whether nothing large can be sent. */
  isFull = false
  readonly server: ExchangeServers
  readonly #name: string
  #lastId = 0

  constructor(servers: ExchangeServers, name: string, system: System = realSystem, file?: SessionFile) {
    this.server = servers
    this.#name = name
    const onEvent = (event: AgentEvent) => this.events.push(event)
    const sessionFile = file ?? new SessionFile({ system, path: undefined, onEvent })
    this.exchanges = new OpenExchanges({ system, servers, sessionFile, onEvent })
    this.connect()
  }

  connect(): void {
    const send: Parameters<OpenExchanges['connected']>[0] = ({ head, payload }) => {
      if (this.isFull && payload !== undefined) return false
      const decoded = decodeUp(head, 'v2')
      if (!decoded.ok) throw new Error(decoded.detail)
      this.frames.push({ ...decoded.message, ...(payload && { message: payload }) } as Frame)
      return true
    }
    this.exchanges.connected(send, (id) => this.flooding.has(id))
  }

  /** Opens an exchange. @returns its id */
  open({ message, ...opened }: Opened): string {
    const id = `exchange-${++this.#lastId}`
    const raw = Buffer.isBuffer(message) ? message : message && Buffer.from(JSON.stringify(message))
    this.exchanges.receive({
      type: 'open',
      ...{ id, server: this.#name, kind: 'request', era: '2025', client: 'ann', streams: true },
      ...opened,
      message: raw as Buffer | undefined,
    })
    return opened.id ?? id
  }

  /** Opens an exchange and returns its end. */
  async ask(opened: Opened): Promise<End> {
    const id = this.open(opened)
    // Most ends need no more than this.
    await new Promise((resolve) => setImmediate(resolve))
    return this.end(id)
  }

  /** Sends a note. */
  async note(opened: Opened): Promise<End> {
    return this.ask({ ...opened, kind: 'note' })
  }

  send(type: 'cancel' | 'detach' | 'done', id: string): void {
    this.exchanges.receive({ type, id })
  }

  /** The end of an exchange. */
  end(id: string): Promise<End> {
    const found = () =>
      this.frames.find((frame): frame is EndFrame => frame.type === 'end' && frame.id === id)
    return until(
      () => {
        const frame = found()
        return frame && { ...frame, json: jsonOf(frame.message) }
      },
      undefined,
      `the end of ${id}`,
    )
  }

  /** The messages of an exchange so far. */
  messages(id: string): readonly Message[] {
    return this.frames
      .filter((frame): frame is MessageFrame => frame.type === 'message' && frame.id === id)
      .map((frame) => ({ ...frame, json: jsonOf(frame.message) as Json }))
  }

  /** The message of an exchange with this position. */
  message(id: string, position = 1): Promise<Message> {
    return until(() => this.messages(id)[position - 1], undefined, `message ${position} of ${id}`)
  }
}

export type End = EndFrame & { readonly json: Json | undefined }
export type Message = MessageFrame & { readonly json: Json }

function jsonOf(message: Buffer | undefined): Json | undefined {
  return message && JSON.parse(message.toString('utf8'))
}

/** A JSON-RPC request. */
export function request(method: string, params?: object, id: unknown = 1): object {
  return { jsonrpc: '2.0', id, method, ...(params !== undefined && { params }) }
}

export function notification(method: string, params?: object): object {
  return { jsonrpc: '2.0', method, ...(params !== undefined && { params }) }
}

/** A call of a tool. */
export function call(name: string, args: object = {}, id: unknown = 1, meta?: object): object {
  return request('tools/call', { name, arguments: args, ...(meta !== undefined && { _meta: meta }) }, id)
}

/** Runs a form of the conformance fixture. */
export async function runFixture(
  form: 'v1' | 'v2' | 'v2-modern',
  more: Partial<StdioEntry> = {},
  system: System = realSystem,
): Promise<Bridge> {
  const path = fileURLToPath(new URL('../../../../test/conformance/fixtures/stdio.ts', import.meta.url))
  const entry: StdioEntry = {
    ...{
      kind: 'stdio',
      name: 'fixture',
      command: process.execPath,
      args: [path, form],
      env: COMPILE_CACHE,
      secrets: [],
    },
    ...more,
  }
  const late: { find: ExchangeServers['find'] } = { find: () => undefined }
  const bridge = new Bridge({ find: (name) => late.find(name) }, 'fixture', system)
  const { servers, events } = await runReady(entry, {
    onFirst: (server, instance) => bridge.exchanges.adopt(server, instance),
  })
  bridge.serverEvents = events
  late.find = (name) => servers.find(name)
  return bridge
}

/** The envelope of a 2026 request. */
export function envelope(more: object = {}, capabilities: object = {}): object {
  return {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': capabilities,
    ...more,
  }
}
