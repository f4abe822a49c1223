import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Bridge, call } from '../support/exchanges.ts'
import { FakeServer, type Received, tokenOf } from '../support/fake-server.ts'

type Action =
  | { readonly does: 'open' | 'change' | 'read' | 'disconnect' | 'connect'; readonly session: number }
  | { readonly does: 'progress' | 'answer' | 'cancel' | 'detach'; readonly request: number }
  /** @param lost frames that were sent and did not reach the client */
  | { readonly does: 'resume'; readonly request: number; readonly lost: number }

/** A client's view of one stream, across all exchanges that read it. */
class Reader {
  readonly session: string
  /** Every exchange that read it. */
  readonly ids: string[] = []
  readonly got: { readonly number: number; readonly text: string }[] = []
  answers = 0

  constructor(session: string, id: string) {
    this.session = session
    this.ids.push(id)
  }

  get after(): number {
    return this.got.at(-1)?.number ?? 0
  }
}

interface Sent extends Reader {
  /** Texts that the server sent for this request, in order. */
  readonly said: string[]
  received: Received | undefined
  isOver: boolean
}

const sessions = ['a', 'b'] as const
type Name = (typeof sessions)[number]
const REQUESTS = 6
const nth = fc.nat(REQUESTS - 1)
const session = fc.nat(sessions.length - 1)
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ does: fc.constantFrom('open' as const, 'change', 'read', 'disconnect', 'connect'), session }),
  fc.record({
    does: fc.constantFrom('progress' as const, 'progress', 'answer', 'cancel', 'detach'),
    request: nth,
  }),
  fc.record({ does: fc.constant('resume' as const), request: nth, lost: fc.nat(2) }),
)

/** Two clients of a server, in any order of messages, cuts and resumptions. */
class Play {
  readonly server = new FakeServer()
  readonly bridge = new Bridge(this.server, 'fake')
  readonly requests: Sent[] = []
  isConnected = true
  /** Changes that each session must learn of, and those that it did. */
  readonly changes = { a: [] as number[], b: [] as number[] }
  readonly seen = { a: [] as number[], b: [] as number[] }
  readonly #begun = new Set<Name>()
  /** Sessions of readers of what belongs to no request. */
  readonly #standing = new Map<string, Name>()
  #read = 0
  #said = 0

  constructor() {
    this.bridge.exchanges.adopt(this.server, this.#instance)
  }

  get #instance() {
    return this.server.instance()
  }

  async act(done: Action): Promise<void> {
    switch (done.does) {
      case 'open':
        await this.#open(sessions[done.session] as Name)
        break
      case 'change':
        this.#said++
        for (const name of this.#begun) this.changes[name].push(this.#said)
        this.#instance.says('notifications/tools/list_changed', { at: this.#said })
        break
      case 'read':
        this.#readStanding(sessions[done.session] as Name)
        break
      case 'disconnect':
        this.isConnected = false
        this.bridge.exchanges.disconnected()
        break
      case 'connect':
        if (!this.isConnected) this.bridge.connect()
        this.isConnected = true
        break
      default:
        await this.#onRequest(done)
    }
    await settle()
    this.takeFrames()
  }

  /** Ends everything, and lets each client read what it lacks. */
  async finish(): Promise<void> {
    await this.act({ does: 'connect', session: 0 })
    for (const [request, { isOver }] of this.requests.entries())
      if (!isOver) await this.act({ does: 'answer', request })
    for (const [request, { answers, isOver }] of this.requests.entries())
      if (answers === 0 && isOver) await this.act({ does: 'resume', request, lost: 0 })
    for (const session of sessions.keys()) await this.act({ does: 'read', session })
  }

  /** Hands new frames to the readers. */
  takeFrames(): void {
    for (const frame of this.bridge.frames.slice(this.#read)) {
      const name = this.#standing.get(frame.id)
      if (name !== undefined && frame.type === 'message' && frame.message !== undefined)
        this.seen[name].push(JSON.parse(frame.message.toString('utf8')).params.at)
      const reader = this.requests.find(({ ids }) => ids.at(-1) === frame.id)
      if (frame.type === 'accepted' || frame.message === undefined || reader === undefined) continue
      const json = JSON.parse(frame.message.toString('utf8'))
      if (frame.type === 'end') reader.answers++
      else reader.got.push({ number: frame.number ?? 0, text: json.params.text })
    }
    this.#read = this.bridge.frames.length
  }

  #readStanding(name: Name): void {
    if (!this.isConnected) return
    this.#begun.add(name)
    this.#standing.set(this.bridge.open({ kind: 'stream', session: of(name) }), name)
  }

  async #open(name: Name): Promise<void> {
    if (!this.isConnected || this.requests.length === REQUESTS) return
    this.#begun.add(name)
    const at = this.#instance.received.length
    const id = this.bridge.open({
      session: of(name),
      message: call('t', {}, this.requests.length, { progressToken: name }),
    })
    const sent = Object.assign(new Reader(name, id), { said: [], received: undefined, isOver: false }) as Sent
    this.requests.push(sent)
    await settle()
    sent.received = this.#instance.received[at]
  }

  async #onRequest(done: Extract<Action, { request: number }>): Promise<void> {
    const sent = this.requests[done.request]
    if (sent === undefined) return
    const text = `${sent.session} ${done.request} ${++this.#said}`
    switch (done.does) {
      case 'progress':
        if (!sent.isOver) sent.said.push(text)
        this.#instance.says('notifications/progress', { progressToken: tokenOf(sent.received), text })
        return
      case 'answer':
        sent.isOver = true
        sent.received?.answer({ text })
        return
      case 'cancel':
        return this.#cancel(sent, done.request)
      case 'detach':
        if (this.isConnected) this.bridge.send('detach', sent.ids.at(-1) as string)
        return
      case 'resume':
        return this.#resume(sent, done.lost)
    }
  }

  async #cancel(sent: Sent, requestId: number): Promise<void> {
    if (!this.isConnected) return
    const params = { requestId }
    const other = sent.session === 'a' ? 'b' : 'a'
    this.#begun.add(other)
    // The other client cannot.
    await this.bridge.note({
      session: of(other),
      message: { jsonrpc: '2.0', method: 'notifications/cancelled', params },
    })
  }

  #resume(sent: Sent, lost: number): void {
    if (!this.isConnected || sent.answers > 0) return
    const last = sent.ids.at(-1) as string
    this.bridge.send('detach', last)
    sent.got.length = Math.max(0, sent.got.length - lost)
    sent.ids.push(
      this.bridge.open({
        kind: 'stream',
        session: of(sent.session),
        resume: { id: last, after: sent.after },
      }),
    )
  }
}

const of = (id: string) => ({ id, traits: [] })
const settle = () => new Promise((resolve) => setImmediate(resolve))

test('[STREAM.25] loses and repeats no message of a session, and shows none to another one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 20, maxLength: 60 }), async (actions) => {
      const play = new Play()
      for (const each of actions) await play.act(each)
      await play.finish()

      for (const sent of play.requests) {
        expect(sent.got.map(({ text }) => text)).toEqual(sent.said)
        expect(sent.got.map(({ number }) => number)).toEqual(sent.said.map((_, at) => at + 1))
        expect(sent.answers).toBe(1)
      }
      expect(play.seen).toEqual(play.changes)
      const ends = play.bridge.frames.filter(({ type }) => type === 'end').map(({ id }) => id)
      expect(new Set(ends).size).toBe(ends.length)
    }),
    { numRuns: 150 },
  )
})
