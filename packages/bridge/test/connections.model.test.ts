import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CallOutcome } from '../src/calls/outcome.ts'
import { CALL_TIMEOUT_MS, MAX_PENDING, type RealPeer, World } from './support/connections-world.ts'

/**
 * Compares any order of events over a few sockets of two users with a short model. Everything is compared
 * after each event, so that effects of one socket on another show.
 */

interface ModelSocket {
  readonly real: RealPeer
  readonly userId: string
  readonly sessionId: string
  readonly deadAtMs: number
  readonly challengeEndsAtMs: number
  state: 'challenging' | 'ready' | 'closed'
  /** `undefined` while open, and where the peer went first. */
  closedWith: string | undefined
  attemptsLeft: number
  strikesAtMs: number[]
  verifiedAs: number
  readonly answered: string[]
  readonly executed: string[]
}

interface ModelCall {
  readonly target: ModelSocket | undefined
  /** The socket that made the call, if any, and its own id. */
  readonly asker: ModelSocket | undefined
  readonly ownId: string
  readonly deadlineAtMs: number
  id: string
  expected: string | undefined
  readonly outcomes: string[]
  cancel: () => void
}

type Op =
  | { do: 'connect'; user: number; session: number; v2: boolean; lifetime: number }
  | { do: 'answer'; socket: number; of: number }
  | { do: 'wrong' | 'ping' | 'garbage' | 'peer-gone' | 'drain'; socket: number }
  | { do: 'call'; user: number }
  | { do: 'execute'; socket: number; id: number }
  | { do: 'result'; socket: number; call: number }
  | { do: 'result-to-asked'; call: number }
  | { do: 'invented'; socket: number }
  | { do: 'cancel'; call: number }
  | { do: 'advance'; ms: number }

const USERS = ['ann', 'bob']
const index = fc.nat({ max: 11 })
const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('connect' as const),
      user: fc.nat({ max: 1 }),
      session: fc.nat({ max: 2 }),
      v2: fc.boolean(),
      lifetime: fc.integer({ min: 5, max: 300 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('answer' as const), socket: index, of: index }) },
  { weight: 6, arbitrary: index.map((socket) => ({ do: 'answer' as const, socket, of: socket })) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('wrong', 'ping', 'garbage', 'peer-gone', 'drain'),
      socket: index,
    }) as fc.Arbitrary<Op>,
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('call' as const), user: fc.nat({ max: 1 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('execute' as const), socket: index, id: fc.nat({ max: 1 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('result' as const), socket: index, call: fc.nat({ max: 30 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('result-to-asked' as const), call: fc.nat({ max: 30 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('invented' as const), socket: index }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), call: fc.nat({ max: 30 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('advance' as const),
      ms: fc.oneof(fc.nat({ max: 16_000 }), fc.nat({ max: 70_000 })),
    }),
  },
)

class Model {
  readonly world = new World()
  readonly sockets: ModelSocket[] = []
  readonly calls: ModelCall[] = []
  #nowMs = 0
  #verified = 0
  #results = 0
  /** The call that a socket has just asked for. */
  #asked: ModelCall | undefined

  constructor() {
    this.world.onExecute = () => {
      const call = this.#asked
      expect(call).toBeDefined()
      return (outcome) => call?.outcomes.push(textOf(outcome))
    }
  }

  run(event: Op): void {
    const at = <T>(list: readonly T[], place: number): T | undefined => list[place % (list.length || 1)]
    const socket = 'socket' in event ? at(this.sockets, event.socket) : undefined
    const call = 'call' in event ? at(this.calls, event.call) : undefined
    if (event.do === 'connect') this.#connect(event.user, event.session, event.v2, event.lifetime)
    else if (event.do === 'call') this.#call(USERS[event.user] as string)
    else if (event.do === 'advance') this.#advance(event.ms)
    else if (event.do === 'cancel') this.#cancel(call)
    else if (event.do === 'result-to-asked') this.#result(call?.target, call)
    else if (socket === undefined) return
    else if (event.do === 'result') this.#result(socket, call)
    else if (event.do === 'answer') this.#answer(socket, at(this.sockets, event.of) as ModelSocket)
    else if (event.do === 'invented') this.#invented(socket)
    else if (event.do === 'execute') this.#execute(socket, `own-${event.id}`)
    else this.#simple(event.do, socket)
    this.check()
  }

  check(): void {
    for (const { real, state, closedWith, answered, executed } of this.sockets) {
      expect(this.world.ready.has(real.connection)).toBe(state === 'ready')
      expect(real.socket.closedWith).toBe(closedWith)
      // Calls that end at the same moment have no order.
      expect(real.socket.answers.sort()).toEqual([...answered].sort())
      expect(real.socket.idsOf('tool_execute')).toEqual(executed)
      for (const { type, whileReady } of real.socket.sent)
        if (type === 'tool_execute' || type === 'tool_cancel' || type === 'tool_result')
          expect(whileReady).toBe(true)
    }
    const open = this.sockets.filter(({ state }) => state !== 'closed')
    expect(this.world.system.armed).toBeLessThanOrEqual(2 * open.length)
    for (const { expected, outcomes } of this.calls)
      expect(outcomes).toEqual(expected === undefined ? [] : [expected])
  }

  /** Ends everything; nothing may be left. */
  end(): void {
    for (const socket of this.sockets) this.#simple('peer-gone', socket)
    this.check()
    for (const { outcomes } of this.calls) expect(outcomes).toHaveLength(1)
    expect(this.world.ready.size).toBe(0)
    expect(this.world.system.armed).toBe(0)
  }

  #connect(user: number, session: number, v2: boolean, lifetimeSeconds: number): void {
    const userId = USERS[user] as string
    const sessionId = `${userId}-${session}`
    const lifetimeMs = lifetimeSeconds * 1_000 + 0.25
    this.sockets.push({
      real: this.world.connect(userId, sessionId, v2 ? 'v2' : 'v1', lifetimeMs),
      userId,
      sessionId,
      deadAtMs: this.#nowMs + lifetimeMs,
      challengeEndsAtMs: this.#nowMs + 30_000,
      state: 'challenging',
      closedWith: undefined,
      attemptsLeft: 3,
      strikesAtMs: [],
      verifiedAs: 0,
      answered: [],
      executed: [],
    })
  }

  /** Answers with the right answer of another socket, or of this one. */
  #answer(socket: ModelSocket, of: ModelSocket): void {
    if (of.real.rightAnswer !== socket.real.rightAnswer)
      return this.#simple('wrong', socket, of.real.rightAnswer)
    this.#receive(socket, { type: 'challenge_response', response: of.real.rightAnswer })
    if (socket.state !== 'challenging') return
    socket.state = 'ready'
    socket.strikesAtMs = []
    socket.verifiedAs = ++this.#verified
    for (const other of this.sockets)
      if (other !== socket && other.state === 'ready' && other.sessionId === socket.sessionId)
        this.#close(other, '4509 connection_replaced')
  }

  #simple(
    what: 'wrong' | 'ping' | 'garbage' | 'peer-gone' | 'drain',
    socket: ModelSocket,
    response = 'no',
  ): void {
    this.world.lockedNow = false
    if (what === 'peer-gone') socket.real.connection.socketClosed(1006, '')
    else if (what === 'drain') socket.real.connection.drain()
    else if (what === 'garbage') socket.real.connection.receive(Buffer.from('{"type":'), false)
    else this.#receive(socket, what === 'ping' ? { type: 'ping' } : { type: 'challenge_response', response })
    if (socket.state === 'closed') return
    const isOpen = socket.state === 'challenging'
    if (what === 'peer-gone') this.#close(socket, undefined)
    else if (what === 'drain') this.#close(socket, '1001 shutting_down')
    else if (what === 'garbage') this.#strike(socket, 'message_invalid')
    else if (what === 'ping' && isOpen) this.#strike(socket, 'challenge_required')
    else if (what === 'wrong' && isOpen && --socket.attemptsLeft === 0)
      this.#close(socket, '1008 challenge_failed')
    else if (what === 'wrong' && isOpen && this.world.lockedNow) this.#close(socket, '1008 challenge_locked')
  }

  #strike(socket: ModelSocket, code: string): void {
    socket.strikesAtMs = socket.strikesAtMs.filter((atMs) => this.#nowMs - atMs < 60_000)
    if (socket.strikesAtMs.length === 10) this.#close(socket, `4400 ${code}`)
    else socket.strikesAtMs.push(this.#nowMs)
  }

  #call(userId: string): void {
    const call = this.#expectCall(userId, undefined, '')
    call.cancel = this.world.call(userId, (outcome) => call.outcomes.push(textOf(outcome)))
    this.#learnId(call)
  }

  #execute(asker: ModelSocket, ownId: string): void {
    const frame = { type: 'tool_execute', id: ownId, serverName: 's', toolName: 't', args: {} }
    if (asker.state === 'challenging') {
      this.#receive(asker, frame)
      return this.#strike(asker, 'challenge_required')
    }
    const running = this.calls.filter((call) => call.asker === asker && call.expected === undefined)
    if (asker.state !== 'ready') return this.#receive(asker, frame)
    if (running.some((call) => call.ownId === ownId)) asker.answered.push(`${ownId} call_id_conflict`)
    else if (running.length >= MAX_PENDING) asker.answered.push(`${ownId} too_many_calls`)
    else this.#asked = this.#expectCall(asker.userId, asker, ownId)
    const asked = this.#asked
    this.#receive(asker, frame)
    if (asked !== undefined) this.#learnId(asked)
    this.#asked = undefined
  }

  #expectCall(userId: string, asker: ModelSocket | undefined, ownId: string): ModelCall {
    const [target] = this.sockets
      .filter((socket) => socket.userId === userId && socket.state === 'ready')
      .sort((a, b) => b.verifiedAs - a.verifiedAs)
    const waiting = this.calls.filter((call) => call.target === target && call.expected === undefined)
    const isFull = target !== undefined && waiting.length >= MAX_PENDING
    const call: ModelCall = {
      target: isFull ? undefined : target,
      asker,
      ownId,
      deadlineAtMs: this.#nowMs + CALL_TIMEOUT_MS,
      id: '',
      expected: undefined,
      outcomes: [],
      cancel: () => {},
    }
    this.calls.push(call)
    if (target === undefined) this.#settle(call, 'agent_offline')
    else if (isFull) this.#settle(call, 'too_many_calls')
    return call
  }

  /** The call must have gone to the socket that the model names, and to no other. */
  #learnId(call: ModelCall): void {
    if (call.target === undefined) return
    const id = call.target.real.socket.idsOf('tool_execute').at(-1) ?? ''
    expect(this.calls.some((other) => other.id === id)).toBe(false)
    call.id = id
    call.target.executed.push(id)
  }

  #result(socket: ModelSocket | undefined, call: ModelCall | undefined): void {
    if (socket === undefined || call === undefined || call.id === '') return
    const result = { content: [], n: ++this.#results }
    const accepted = socket.state === 'ready' && call.target === socket && call.expected === undefined
    if (accepted) this.#settle(call, JSON.stringify(result))
    this.#receive(socket, { type: 'tool_result', id: call.id, success: true, result })
    if (socket.state === 'challenging') this.#strike(socket, 'challenge_required')
  }

  #invented(socket: ModelSocket): void {
    for (const id of ['AAAAAAAAAAAAAAAAAAAA00', '0', 'x'.repeat(128)]) {
      this.#receive(socket, { type: 'tool_result', id, success: true, result: {} })
      if (socket.state === 'challenging') this.#strike(socket, 'challenge_required')
    }
  }

  #cancel(call: ModelCall | undefined): void {
    if (call === undefined || call.asker !== undefined) return
    this.#settle(call, 'call_cancelled')
    call.cancel()
  }

  #advance(ms: number): void {
    const untilMs = this.#nowMs + ms
    const moments = [
      ...this.sockets.flatMap((socket) => [
        {
          atMs: socket.deadAtMs,
          firesAtMs: Math.floor(socket.deadAtMs),
          run: () => this.#close(socket, '4401 token_expired'),
        },
        {
          atMs: socket.challengeEndsAtMs,
          firesAtMs: Math.floor(socket.challengeEndsAtMs),
          run: () => socket.state === 'challenging' && this.#close(socket, '4408 challenge_timeout'),
        },
      ]),
      ...this.calls.map((call) => ({
        atMs: call.deadlineAtMs,
        // A timer that fires within the millisecond of the deadline is set again.
        firesAtMs: Math.ceil(call.deadlineAtMs),
        run: () => this.#settle(call, 'call_timeout'),
      })),
    ]
    for (const { run } of moments
      // Timers fire at whole milliseconds; the fraction of a deadline only orders two of them.
      .filter(({ firesAtMs }) => firesAtMs > this.#nowMs && firesAtMs <= untilMs)
      .sort((a, b) => a.atMs - b.atMs))
      run()
    this.#nowMs = untilMs
    this.world.system.advance(ms)
  }

  #close(socket: ModelSocket, code: string | undefined): void {
    if (socket.state === 'closed') return
    socket.state = 'closed'
    socket.closedWith = code
    for (const call of this.calls) if (call.target === socket) this.#settle(call, 'outcome_unknown')
    for (const call of this.calls) if (call.asker === socket) this.#settle(call, 'call_cancelled')
  }

  /** The first outcome counts. A socket that asked receives it while it is ready. */
  #settle(call: ModelCall, outcome: string): void {
    if (call.expected !== undefined) return
    call.expected = outcome
    if (call.asker?.state === 'ready') call.asker.answered.push(`${call.ownId} ${outcome}`)
  }

  #receive(socket: ModelSocket, message: object): void {
    socket.real.connection.receive(Buffer.from(JSON.stringify(message)), false)
  }
}

function textOf(outcome: CallOutcome): string {
  if (outcome.kind === 'failed') return outcome.error.code
  if (outcome.kind === 'large') return `${outcome.result.sizeBytes} bytes`
  return (outcome.kind === 'result' ? outcome.result : outcome.rpcError).toString('utf8')
}

test('[STATE.4] [CALL.1] [CALL.3] [ROUTE.1] [ROUTE.2] [ROUTE.4] matches the model for any order of events over many sockets', {
  timeout: 240_000,
}, () => {
  fc.assert(
    fc.property(fc.array(op, { minLength: 20, maxLength: 90, size: 'max' }), (events) => {
      const model = new Model()
      for (const event of events) model.run(event)
      model.end()
    }),
    { numRuns: 400 },
  )
})
