import type { RawJson } from '@bridgekeeper/protocol'
import type { Inbox } from './inbox.ts'
import type { Instance, InstanceKey, ServerMessage } from './instance.ts'
import type { RawOutcome } from './raw-calls.ts'
import type { StdioTransport } from './stdio-transport.ts'

/** Requests of a server that any client answers, or the agent: they do not show that it asks its callers. */
const HARMLESS: readonly string[] = ['roots/list']

/** An initialized process of a local server. */
export class ProcessInstance implements Instance {
  readonly ended: Promise<void>
  readonly key: InstanceKey
  readonly version: string
  readonly introduction: RawJson
  /** Called when the last request, lease or hold has ended. */
  onUnused: () => void = () => {}
  /** Called when the server asks its caller. */
  onAsk: () => void = () => {}
  readonly #transport: StdioTransport
  readonly #inbox: Inbox
  #onMessage: (message: ServerMessage) => void = () => {}
  #uses = 0
  #shortCalls = 0
  #isClosing = false

  constructor(
    key: InstanceKey,
    version: string,
    introduction: RawJson,
    transport: StdioTransport,
    inbox: Inbox,
  ) {
    this.key = key
    this.version = version
    this.introduction = introduction
    this.#transport = transport
    this.#inbox = inbox
    this.ended = transport.ended.then(() => {})
  }

  get isUsed(): boolean {
    return this.#uses > 0
  }

  get hasShortCalls(): boolean {
    return this.#shortCalls > 0
  }

  /** Whether the agent ends it. */
  get isClosing(): boolean {
    return this.#isClosing
  }

  get onMessage(): (message: ServerMessage) => void {
    return this.#onMessage
  }

  set onMessage(handle: (message: ServerMessage) => void) {
    this.#onMessage = handle
    this.#inbox.readBy((message) => this.#receive(message))
  }

  async request(
    method: string,
    params: RawJson | undefined,
    signal: AbortSignal,
    sent?: (id: number) => void,
  ): Promise<RawOutcome> {
    const release = this.hold()
    const outcome = await this.#transport.call(method, params, signal, sent)
    release()
    return outcome
  }

  /** Runs a call whose caller gets nothing but its result. Never rejects. */
  async shortCall(params: RawJson, signal: AbortSignal): Promise<RawOutcome> {
    this.#shortCalls++
    const outcome = await this.request('tools/call', params, signal)
    this.#shortCalls--
    return outcome
  }

  notify(method: string, params: RawJson | undefined): void {
    this.#transport.notify(method, params)
  }

  answer(id: RawJson, member: 'result' | 'error', value: RawJson): void {
    this.#transport.answer(id, member, value)
  }

  hold(): () => void {
    this.#uses++
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      this.#uses--
      if (this.#uses === 0) this.onUnused()
    }
  }

  /** Ends the process. Resolves when it is gone. */
  async close(): Promise<void> {
    this.#isClosing = true
    await this.#transport.close()
  }

  #receive(message: ServerMessage): void {
    if (message.id !== undefined && !HARMLESS.includes(message.method)) this.onAsk()
    this.#onMessage(message)
  }
}
