import { type Ablation, gate, text } from './ablation.ts'

function of(...names: string[]): string[] {
  return names.map((name) => `packages/agent/test/exchanges/${name}.test.ts`)
}

/** Protections of exchanges and MCP sessions on the machine. */
export const AGENT_EXCHANGE_ABLATIONS: readonly Ablation[] = [
  {
    gate: 'agent exchanges: only the client of a session uses it',
    edits: [text('agent/exchanges/sessions.ts', 'found.facts.client !== facts.client', 'false')],
    tests: of('sessions'),
  },
  {
    gate: 'agent exchanges: only the client of a session ends it',
    edits: [text('agent/exchanges/sessions.ts', 'facts.client !== client)', 'false)')],
    tests: of('sessions'),
  },
  {
    gate: 'agent exchanges: an ended session stays ended',
    edits: [
      text('agent/exchanges/sessions.ts', 'if (this.#file.hasEnded(facts.id))', 'if (false as boolean)'),
    ],
    tests: of('sessions', 'session-file'),
  },
  {
    gate: 'memory: the agent releases sessions that have ended',
    edits: [text('agent/exchanges/sessions.ts', 'this.#onGone(session)', '')],
    tests: ['test/attack/released-memory.test.ts'],
  },
  {
    gate: 'memory: the agent releases calls of the 2026 era that have ended',
    edits: [text('agent/eras/run-2026.ts', 'group.leave(this.#inner.session)', '')],
    tests: ['test/attack/released-memory.test.ts'],
  },
  {
    gate: 'agent exchanges: questions that nobody waits for are withdrawn',
    edits: [
      text('agent/exchanges/asks.ts', 'if (!exchange.signal.aborted)', 'if (false as boolean)'),
      text('agent/exchanges/asks.ts', 'send(ask, withdrawal(id))', ''),
    ],
    tests: ['test/bridge/killed-servers.test.ts', ...of('asks')],
  },
  {
    gate: 'agent exchanges: sessions of the machine',
    edits: [text('agent/exchanges/sessions.ts', 'this.#sessions.size < MAX_SESSIONS', 'true')],
    tests: of('sessions'),
  },
  {
    gate: 'agent exchanges: stored choices go to their client',
    edits: [text('agent/exchanges/session-file.ts', 'found?.client !== client', 'found === undefined')],
    tests: of('session-file'),
  },
  {
    gate: 'agent exchanges: only the session that was asked answers',
    edits: [text('agent/exchanges/asks.ts', '(found) => found.session === session', '() => true')],
    tests: of('asks'),
  },
  {
    gate: 'agent exchanges: progress of an answer from the session that was asked',
    edits: [text('agent/exchanges/asks.ts', 'ask.session === session && key', 'key')],
    tests: of('asks'),
  },
  {
    gate: 'agent exchanges: asks that wait',
    edits: [gate('agent/exchanges/asks.ts', '#isFull', 'return false')],
    tests: of('asks'),
  },
  {
    gate: 'agent exchanges: logs reach only a sole owner',
    edits: [text('agent/exchanges/instance-use.ts', 'owners.size === 1', 'owners.size > 0')],
    tests: of('sessions'),
  },
  {
    gate: 'agent exchanges: no client is asked what it did not declare',
    edits: [text('agent/exchanges/instance-use.ts', ' && declares(session, method)', '')],
    tests: of('asks'),
  },
  {
    gate: 'agent exchanges: a cancellation stays in its session',
    edits: [text('agent/exchanges/notes.ts', 'facts.session === session && ', '')],
    tests: of('limits', 'sessions.property'),
  },
  {
    gate: 'agent exchanges: a cancellation stays with its client',
    edits: [text('agent/exchanges/notes.ts', ' && facts.client === client', '')],
    tests: of('limits'),
  },
  {
    gate: 'agent exchanges: tokens of progress of their own',
    edits: [text('agent/exchanges/instance-use.ts', 'withToken(params, token)', 'params')],
    tests: of('limits'),
  },
  {
    gate: 'agent exchanges: a token of progress with two meanings',
    edits: [text('agent/exchanges/open-exchanges.ts', 'isAmbiguous(params, PROGRESS_TOKEN)', 'false')],
    tests: of('limits'),
  },
  {
    gate: 'agent exchanges: an id in use',
    edits: [
      text(
        'agent/exchanges/open-exchanges.ts',
        'if (this.#running.has(id) || this.#sessions.ofExchange(id) !== undefined) return',
        '',
      ),
    ],
    tests: of('limits'),
  },
  {
    gate: 'agent exchanges: requests in flight',
    edits: [text('agent/exchanges/running-exchanges.ts', 'this.#byId.size >= MAX_RUNNING', 'false')],
    tests: of('limits'),
  },
  {
    gate: 'agent exchanges: bytes of requests in flight',
    edits: [text('agent/exchanges/running-exchanges.ts', 'this.#bytes + bytes > MAX_RUNNING_BYTES', 'false')],
    tests: of('limits'),
  },
  {
    gate: 'agent exchanges: tasks of others',
    edits: [text('agent/exchanges/tasks.ts', 'this.#named(exchange)?.instance !== instance', 'false')],
    tests: of('limits'),
  },
  {
    gate: 'agent exchanges: messages of one exchange that wait for the network',
    edits: [text('agent/exchanges/outlet.ts', 'this.#send !== undefined && this.#isFlooding(id)', 'false')],
    tests: ['packages/agent/test/exchanges/flooding.test.ts'],
  },
  {
    gate: 'agent exchanges: tasks of one client',
    edits: [text('agent/exchanges/tasks.ts', 'own.length > MAX_CLIENT_TASKS', 'false')],
    tests: ['packages/agent/test/exchanges/tasks.test.ts'],
  },
  {
    gate: 'agent exchanges: tasks of others in a list',
    edits: [
      text(
        'agent/exchanges/requests.ts',
        'group.tasks.withOwn(exchange, lent.use.instance, outcome)',
        'outcome',
      ),
    ],
    tests: of('limits'),
  },
  {
    gate: 'agent exchanges: messages of a stream',
    edits: [text('agent/exchanges/stream.ts', 'this.#kept.length > this.#maxKept', 'false')],
    tests: of('streams'),
  },
  {
    gate: 'agent exchanges: bytes of a stream',
    edits: [text('agent/exchanges/stream.ts', 'this.#keptBytes > MAX_KEPT_BYTES', 'false')],
    tests: of('streams'),
  },
  {
    gate: 'agent exchanges: bytes of a session',
    edits: [text('agent/exchanges/stream-budget.ts', 'this.#total > this.#maxBytes', 'false')],
    tests: of('streams'),
  },
  {
    gate: 'agent exchanges: roots of a client',
    edits: [text('agent/exchanges/instance-use.ts', "roots.kind !== 'client'", 'false')],
    tests: of('asks', 'fixtures'),
  },
  {
    gate: 'agent exchanges: an unverified bridge',
    edits: [text('agent/link/data-frames.ts', 'if (!this.#isOpen) return false', '')],
    tests: ['packages/agent/test/link/exchanges.test.ts'],
  },
]
