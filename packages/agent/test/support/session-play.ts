import type { EndFrame } from '@bridgekeeper/protocol'
import { expect } from 'vitest'
import { SessionFile } from '../../src/exchanges/session-file.ts'
import { Bridge, call, type Frame, notification, type Opened, request } from './exchanges.ts'
import { tokenOf } from './fake-server.ts'
import { FakeSystem } from './fake-system.ts'
import { LeasingServer } from './leasing-server.ts'
import { Call, Client, DECLINED, LEVELS, Questions, type Read, type Reader } from './session-model.ts'

/** A step, and numbers that choose what it concerns. */
export interface Step {
  readonly does: keyof SessionPlay['steps']
  /** A session. */
  readonly session: number
  /** A call or a question, counted from the newest. */
  readonly at: number
  /** Messages that were sent and did not reach the client, or another choice. */
  readonly pick: number
}

const MAX_CALLS = 12
const TRAITS: ('sampling' | 'elicitation-form')[] = ['elicitation-form', 'sampling']
const URI = 'file:///x'

/** Sessions of two clients with one local server, beside a model of what each must get. */
export class SessionPlay {
  readonly #path: string
  readonly #system = new FakeSystem()
  readonly #sessions = ['a', 'b', 'c', 'd'].map((id) => new Client(id, id < 'c' ? 'ann' : 'eve'))
  readonly #calls: Call[] = []
  readonly #questions = new Questions()
  readonly #ended = new Set<string>()
  #file!: SessionFile
  #server!: LeasingServer
  #bridge!: Bridge
  #isConnected = false
  /** Whether a session has set a log level. Until then, clients get every log message. */
  #hasLevel = false
  #read = 0
  #lastId = 0
  #lastText = 0

  /** @param path of the session file */
  constructor(path: string) {
    this.#path = path
  }

  async start(): Promise<void> {
    this.#file = new SessionFile({ system: this.#system, path: this.#path, onEvent: () => {} })
    await this.#file.load()
    this.#server = new LeasingServer()
    this.#bridge = new Bridge(this.#server, 'fake', this.#system, this.#file)
    this.#bridge.exchanges.adopt(this.#server, this.#shared)
    this.#isConnected = true
    this.#hasLevel = false
    this.#read = 0
  }

  async act(step: Step): Promise<void> {
    await this.steps[step.does](step)
    await this.#settle()
  }

  /** Ends all calls, and lets each client read what it lacks. */
  async finish(): Promise<void> {
    await this.steps.connect()
    for (const at of this.#calls.keys()) await this.act({ does: 'answer', session: 0, at, pick: 0 })
    for (const at of this.#calls.keys()) await this.act({ does: 'resume', session: 0, at, pick: 0 })
    for (const session of this.#sessions.keys()) await this.act({ does: 'read', session, at: 0, pick: 0 })
    for (const { expected, got } of this.#readers) expect(got).toEqual(expected)
  }

  readonly steps = {
    // Of the server.
    progress: ({ at }: Step) => {
      const found = this.#calls.at(-1 - at)
      if (found === undefined) return
      const text = this.#text('progress')
      if (!found.isOver) found.expected.push(text)
      const progressToken = tokenOf(found.received)
      found.process.says('notifications/progress', { progressToken, text })
    },
    log: ({ at, pick }: Step) => {
      const process = this.#calls.at(-1 - at)?.process
      const level = LEVELS[pick] ?? 'info'
      const text = this.#text(level)
      const of = this.#calls.find((each) => each.process === process && !each.isOver)
      const wanted = of?.session.level ?? 'info'
      const isWanted = !this.#hasLevel || LEVELS.indexOf(level) >= LEVELS.indexOf(wanted)
      if (isWanted) of?.expected.push(text)
      process?.says('notifications/message', { level, data: '', text })
    },
    ask: ({ at }: Step) => this.#ask(this.#calls.at(-1 - at)),
    withdraw: ({ at }: Step) => {
      const question = this.#questions.at(at)
      if (question === undefined) return
      if (question.isPending) question.call?.expected.push(`withdrawn ${question.text}`)
      question.isPending = false
      question.process.says('notifications/cancelled', { requestId: question.serverId })
    },
    answer: ({ at }: Step) => {
      const found = this.#calls.at(-1 - at)
      if (found === undefined) return
      const text = this.#text('answer')
      found.received.answer({ text })
      if (found.isOver) return
      found.isOver = true
      found.expected.push(text)
      for (const question of this.#questions.refuse(found))
        found.session.standing.expected.push(`withdrawn ${question.text}`)
    },
    change: () => {
      const text = this.#text('change')
      for (const each of this.#begun) each.standing.expected.push(text)
      this.#shared.says('notifications/tools/list_changed', { text })
    },
    update: () => {
      const text = this.#text('update')
      const subscribed = this.#begun.filter(({ isSubscribed }) => isSubscribed)
      for (const each of subscribed) each.standing.expected.push(text)
      const told = this.#shared.agentRequests.findLast(({ method }) => method.startsWith('resources/'))
      expect(told?.method === 'resources/subscribe').toBe(subscribed.length > 0)
      this.#shared.says('notifications/resources/updated', { uri: URI, text })
    },
    // Of clients.
    open: ({ session }: Step) => this.#open(this.#session(session)),
    read: async ({ session }: Step) => {
      const client = this.#session(session)
      const { standing } = client
      await this.#reading(client, standing, {}, () => {
        standing.base = standing.got.length
        standing.isGone = false
      })
    },
    readOn: async ({ session, pick }: Step) => {
      const client = this.#session(session)
      if (client.standing.ids.length > 0) await this.#resume(client, client.standing, pick)
    },
    resume: async ({ at, pick }: Step) => {
      const found = this.#calls.at(-1 - at)
      if (found !== undefined) await this.#resume(found.session, found, pick)
    },
    steal: async ({ session, at }: Step) => {
      const thief = this.#session(session)
      const found = this.#calls.at(-1 - at)
      if (found === undefined || thief === found.session) return
      const resume = { id: found.ids[0] as string, after: 0 }
      await this.#send(thief, { kind: 'stream', resume }, { code: 'stream_unknown' })
    },
    reply: async ({ session, at, pick }: Step) => {
      const question = this.#questions.at(at)
      // Mostly the client that was asked.
      const client = pick > 0 ? question?.call?.session : this.#session(session)
      if (question?.clientId === undefined || client === undefined || !this.#isConnected) return
      const isRight = question.isPending && question.call?.session === client
      const declines = pick === 2
      if (isRight) question.isPending = false
      if (isRight) question.outcome = declines ? 'declined' : 'result'
      const error = { code: DECLINED, message: question.text }
      const answer = declines ? { error } : { result: { text: question.text } }
      const message = { jsonrpc: '2.0', id: question.clientId, ...answer }
      await this.#send(client, { kind: 'note', message }, { status: 202 })
    },
    cancel: async ({ at }: Step) => {
      const found = this.#calls.at(-1 - at)
      if (found === undefined || !this.#isConnected) return
      const message = notification('notifications/cancelled', { requestId: found.callerId })
      await this.#send(found.session, { kind: 'note', message }, { status: 202 })
      if (found.isOver) return
      expect(found.received.signal.aborted).toBe(true)
      this.#abandon(found)
    },
    detach: ({ at }: Step) => {
      const found = this.#calls.at(-1 - at)
      if (found?.current === undefined) return
      this.#bridge.send('detach', found.current)
      found.current = undefined
    },
    done: ({ at }: Step) => {
      const found = this.#calls.at(-1 - at)
      if (!this.#isConnected || found?.isOver !== true || found.got.length < found.expected.length) return
      this.#bridge.send('done', found.ids.at(-1) as string)
      found.close()
    },
    level: async ({ session, pick }: Step) => {
      const client = this.#session(session)
      const level = LEVELS[pick]
      const isSet = await this.#send(client, { message: request('logging/setLevel', { level }) })
      if (!isSet) return
      client.level = level
      this.#hasLevel = true
    },
    subscribe: async ({ session, pick }: Step) => {
      const client = this.#session(session)
      const wants = pick > 0
      const method = wants ? 'resources/subscribe' : 'resources/unsubscribe'
      if (await this.#send(client, { message: request(method, { uri: URI }) })) client.isSubscribed = wants
    },
    delete: async ({ session, pick }: Step) => {
      const client = this.#session(session)
      // The other client cannot.
      const other = client.client === 'ann' ? 'eve' : 'ann'
      if (pick > 0 && client.isBegun)
        await this.#send(client, { kind: 'delete', client: other }, { code: 'session_unknown' })
      else if (pick === 0) await this.#delete(client)
    },
    // Of the agent.
    disconnect: () => {
      this.#isConnected = false
      this.#bridge.exchanges.disconnected()
      for (const reader of this.#readers) reader.current = undefined
    },
    connect: () => {
      if (!this.#isConnected) this.#bridge.connect()
      this.#isConnected = true
    },
    restart: async () => {
      this.#bridge.exchanges.disconnected()
      await this.#file.flush()
      for (const found of this.#calls) found.close()
      for (const found of this.#calls) found.isOver = true
      this.#questions.drop()
      for (const client of this.#sessions) {
        client.standing.close()
        client.isBegun = false
      }
      await this.start()
    },
  }

  get #shared() {
    return this.#server.instance('2025', ...TRAITS)
  }

  get #begun(): readonly Client[] {
    return this.#sessions.filter(({ isBegun }) => isBegun)
  }

  get #readers(): readonly Reader[] {
    return [...this.#calls, ...this.#sessions.map(({ standing }) => standing)]
  }

  #session(at: number): Client {
    return this.#sessions[at % this.#sessions.length] as Client
  }

  #text(kind: string): string {
    return `${kind} ${++this.#lastText}`
  }

  /**
   * Sends what a client sends, if there is a connection, and checks its end.
   * @param wanted in a session that was not deleted
   * @returns whether it was handled
   */
  async #send(client: Client, opened: Opened, wanted: Partial<EndFrame> = { status: 200 }) {
    if (!this.#isConnected) return false
    if (opened.kind !== 'delete') this.#begin(client)
    const id = this.#opened(client, opened)
    await tick()
    const end = this.#bridge.frames.find((frame) => frame.type === 'end' && frame.id === id)
    expect(end).toMatchObject(client.isDeleted ? { code: 'session_unknown' } : { ...wanted, id })
    this.#bridge.send('done', id)
    return !client.isDeleted
  }

  #opened({ id, client }: Client, opened: Opened): string {
    const exchange = `exchange-${++this.#lastId}`
    return this.#bridge.open({ id: exchange, client, session: { id, traits: TRAITS }, ...opened })
  }

  #begin(client: Client): void {
    if (client.isDeleted || client.isBegun) return
    client.isBegun = true
    if (client.level !== undefined) this.#hasLevel = true
  }

  async #open(client: Client): Promise<void> {
    if (!this.#isConnected || this.#calls.length === MAX_CALLS) return
    const callerId = client.calls + 1
    const message = call('t', {}, callerId, { progressToken: client.id })
    if (client.isDeleted) return void (await this.#send(client, { message }))
    this.#begin(client)
    client.calls = callerId
    const before = new Set(this.#server.started.flatMap(({ received }) => received))
    const id = this.#opened(client, { message })
    await tick()
    const [found] = this.#server.started.flatMap((process) =>
      process.received.filter((each) => !before.has(each)).map((received) => ({ process, received })),
    )
    if (found === undefined) throw new Error('The server did not get the call.')
    const opened = new Call(client, callerId, found.process, found.received)
    opened.reads(id)
    this.#calls.push(opened)
  }

  async #resume(client: Client, reader: Reader, lost: number): Promise<void> {
    if (!this.#isConnected) return
    const id = reader.ids.at(-1) as string
    if (!reader.isGone) this.#bridge.send('detach', id)
    if (!reader.isGone) reader.lose(lost)
    await this.#reading(client, reader, { resume: { id, after: reader.got.length - reader.base } })
  }

  async #reading(client: Client, reader: Reader, opened: Opened, onBegin = () => {}): Promise<void> {
    if (!this.#isConnected) return
    const isKnown = opened.resume === undefined || !reader.isGone
    if (client.isDeleted || !isKnown)
      return void (await this.#send(client, { kind: 'stream', ...opened }, { code: 'stream_unknown' }))
    this.#begin(client)
    onBegin()
    reader.reads(this.#opened(client, { kind: 'stream', ...opened }))
  }

  #ask(of: Call | undefined): void {
    if (of === undefined) return
    const { process } = of
    const asked = this.#calls.find((each) => each.process === process && !each.isOver)
    const { text, serverId } = this.#questions.add(this.#text('question'), process, asked)
    asked?.expected.push(text)
    process.says('sampling/createMessage', { text }, serverId)
  }

  #abandon(found: Call): void {
    found.isOver = true
    found.close()
    this.#questions.refuse(found)
  }

  async #delete(client: Client): Promise<void> {
    if (!(await this.#send(client, { kind: 'delete' }))) return
    for (const found of this.#calls.filter(({ session }) => session === client)) {
      expect(found.isOver || found.received.signal.aborted).toBe(true)
      if (found.isOver) found.close()
      else this.#abandon(found)
    }
    client.standing.close()
    client.isDeleted = true
    client.isBegun = false
  }

  async #settle(): Promise<void> {
    await tick()
    for (const frame of this.#bridge.frames.slice(this.#read)) this.#take(frame)
    this.#read = this.#bridge.frames.length
    for (const process of this.#server.started) this.#questions.check(process)
  }

  /** Hands a frame to its reader. */
  #take(frame: Frame): void {
    if (frame.type === 'accepted') return
    const reader = this.#readers.find(({ current }) => current === frame.id)
    if (frame.type === 'end') {
      expect(this.#ended).not.toContain(frame.id)
      this.#ended.add(frame.id)
    }
    const isOfReader = this.#readers.some(({ ids }) => ids.includes(frame.id))
    // Nothing but the answer to a request without a stream is for nobody.
    if (frame.message !== undefined && (isOfReader || frame.type === 'message')) {
      if (reader === undefined) throw new Error(`Nobody reads ${frame.id}: ${frame.message}`)
      reader.take(this.#textOf(JSON.parse(frame.message.toString('utf8')), reader), frame.number)
    }
    if (frame.type !== 'end' || reader === undefined) return
    expect(frame.code).toBeUndefined()
    reader.current = undefined
  }

  #textOf({ id, method, params, result }: Read, reader: Reader): string {
    switch (method) {
      case undefined:
        return result?.text ?? ''
      case 'sampling/createMessage':
        this.#questions.named(params?.text, id)
        return params?.text ?? ''
      case 'notifications/cancelled': {
        // A client may learn of the withdrawal first.
        const next = reader.expected[reader.got.length] ?? ''
        this.#questions.named(next.replace('withdrawn ', ''), params?.requestId)
        return next
      }
      default:
        if (method === 'notifications/progress' && reader instanceof Call)
          expect(params?.progressToken).toBe(reader.session.id)
        return params?.text ?? ''
    }
  }
}

function tick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
