import { type Ablation, ALLOW, attack, gate, text } from './ablation.ts'

const TABLE = ['packages/bridge/test/exchanges/exchange-table.test.ts']
const ATTACKS = ['packages/bridge/test/exchanges/exchange-table.attack.test.ts']
const DISPATCHER = ['packages/bridge/test/router/dispatcher-open.test.ts']

/** Protections of exchanges: who answers, in which order, how long and how many. */
export const EXCHANGE_ABLATIONS: readonly Ablation[] = [
  {
    gate: 'exchanges: only the connection of an exchange answers it',
    edits: [text('bridge/collections/slot-table.ts', 'item?.id === id ? item : undefined', 'item')],
    tests: ATTACKS,
  },
  {
    gate: 'exchanges: so many requests wait for one agent',
    edits: [text('bridge/exchanges/exchange-table.ts', 'waiting >= this.#limits.maxPendingCalls', 'false')],
    tests: TABLE,
  },
  {
    gate: 'exchanges: so many others are open with one agent',
    edits: [text('bridge/exchanges/exchange-table.ts', 'open.size - waiting >= MAX_OPEN_STREAMS', 'false')],
    tests: TABLE,
  },
  {
    gate: 'exchanges: progress extends a deadline only so far',
    edits: [text('bridge/exchanges/exchange-table.ts', 'Math.min(dueAtMs, latestMs)', 'dueAtMs')],
    tests: TABLE,
  },
  {
    gate: 'exchanges: messages are charged',
    edits: [text('bridge/exchanges/exchange-table.ts', "isInOrder && frame.type !== 'message'", 'isInOrder')],
    tests: ATTACKS,
  },
  {
    gate: 'exchanges: numbers rise',
    edits: [gate('bridge/exchanges/carried-exchange.ts', '#rises', 'return true')],
    tests: TABLE,
  },
  {
    gate: 'exchanges: accepted counts once',
    edits: [
      text(
        'bridge/exchanges/carried-exchange.ts',
        'this.#reader === undefined || this.#isAccepted',
        'this.#reader === undefined',
      ),
    ],
    tests: ATTACKS,
  },
  {
    gate: 'exchanges: no agent gets a frame that is too large',
    edits: [text('bridge/exchanges/open-frame.ts', 'messageBytes > limits.payloadBytes', 'false')],
    tests: TABLE,
  },
  {
    gate: 'exchanges: clients whose users are asked hold no place of the pool',
    edits: [text('agent/exchanges/instance-use.ts', "lease?.park('stay')", '{}')],
    tests: attack('many-sessions'),
  },
  {
    gate: 'exchanges: a user who is asked ends no process of another',
    edits: [text('agent/servers/lease-pool.ts', "ifFull === 'stay' && !this.#table.hasParkingRoom", 'false')],
    tests: attack('many-sessions'),
  },
  {
    gate: 'streams: an event id names a JSON-RPC id or nothing',
    edits: [gate('bridge/northbound/event-id.ts', 'isRequestId', 'return true')],
    tests: ['test/bridge/lost-streams.test.ts'],
  },
  {
    gate: 'exchanges: tokens with other scopes read nothing of each other',
    edits: [text('bridge/gates/call-authority.ts', 'scopes && [...new Set(scopes)].toSorted()', 'undefined')],
    tests: attack('narrower-tokens'),
  },
  {
    gate: 'exchanges: machines learn of revoked logins',
    edits: [text('bridge/directory/directory.ts', 'this.#clients.used(client, connection)', '')],
    tests: ['test/bridge/revoked-clients.test.ts'],
  },
  {
    gate: 'exchanges: what a server sends during a short call reaches no other client',
    edits: [text('agent/exchanges/instance-use.ts', 'this.instance.hasShortCalls', 'false')],
    tests: ['packages/agent/test/exchanges/sessions.test.ts'],
  },
  {
    gate: 'exchanges: a call belongs to the exchange that answered last',
    edits: [text('agent/eras/rounds.ts', 'used?.run?.waitFor(exchange)', '')],
    tests: ['packages/agent/test/eras/rounds.test.ts'],
  },
  {
    gate: 'exchanges: waiting calls of a client end none of another',
    edits: [text('agent/eras/rounds.ts', 'oldestOfMost(waiting)', 'waiting[0]')],
    tests: ['packages/agent/test/eras/rounds.test.ts'],
  },
  {
    gate: 'exchanges: processes parked for a client end none of another',
    edits: [
      text(
        'agent/servers/instance-table.ts',
        'oldestOfMost(this.#parked.values())',
        '[...this.#parked.values()][0]',
      ),
    ],
    tests: ['packages/agent/test/servers/parking.test.ts'],
  },
  {
    gate: 'exchanges: a server that clients share gets no level that the agent cannot read',
    edits: [text('agent/exchanges/log-levels.ts', 'if (!isLevel(level)) return INVALID_LEVEL', '')],
    tests: ['packages/agent/test/exchanges/sessions.test.ts'],
  },
  {
    gate: 'exchanges: streams of a client push out none of another',
    edits: [text('agent/exchanges/stream-budget.ts', 'share.bytes > (largest?.bytes ?? 0)', '!largest')],
    tests: ['packages/agent/test/exchanges/streams.test.ts'],
  },
  {
    gate: 'exchanges: stored sessions of a client push out none of another',
    edits: [text('agent/exchanges/session-file.ts', 'one.share - other.share', '0')],
    tests: ['packages/agent/test/exchanges/session-file.test.ts'],
  },
  {
    gate: 'exchanges: ended sessions of a client push out none of another',
    edits: [
      text(
        'agent/exchanges/session-file.ts',
        'oldestOfMost(this.#ended.values())',
        '[...this.#ended.values()][0]',
      ),
    ],
    tests: ['packages/agent/test/exchanges/session-file.test.ts'],
  },
  {
    gate: 'exchanges: asks of a client fill no place of another',
    edits: [text('agent/exchanges/asks.ts', 'ofClient.length >= MAX_CLIENT_ASKS', 'false')],
    tests: ['packages/agent/test/exchanges/asks.test.ts'],
  },
  {
    gate: 'exchanges: pages of a client push out none of another',
    edits: [text('agent/exchanges/asks.ts', 'oldestOfMost(this.#elsewhere)', 'this.#elsewhere[0]')],
    tests: ['packages/agent/test/exchanges/asks.test.ts'],
  },
  {
    gate: 'exchanges: sessions of a client push out none of another',
    edits: [text('agent/exchanges/sessions.ts', 'client: session.facts.client', "client: ''")],
    tests: ['packages/agent/test/exchanges/sessions.test.ts'],
  },
  {
    gate: 'exchanges: what a task logs in the background reaches no other client',
    edits: [gate('agent/exchanges/tasks.ts', 'runsForOthers', 'return false')],
    tests: ['packages/agent/test/exchanges/tasks.test.ts'],
  },
  {
    gate: 'exchanges: a notification that names a task reaches only its session',
    edits: [
      text(
        'agent/exchanges/instance-use.ts',
        'taskId === undefined ? this.soleOwner()?.[0] : ofTask?.exchange',
        'this.soleOwner()?.[0]',
      ),
    ],
    tests: ['packages/agent/test/exchanges/tasks.test.ts'],
  },
  {
    gate: 'exchanges: a page of several clients belongs to none',
    edits: [text('agent/exchanges/asks.ts', 'if (others.length === 0) only', 'only')],
    tests: ['packages/agent/test/exchanges/asks.test.ts'],
  },
  {
    gate: 'exchanges: characters of the URIs of a session',
    edits: [text('agent/exchanges/subscriptions.ts', ' && chars <= MAX_SUBSCRIBED_CHARS', '')],
    tests: ['packages/agent/test/exchanges/sessions.test.ts'],
  },
  {
    gate: 'exchanges: length of a token that outlives its request',
    edits: [text('agent/exchanges/tasks.ts', 'token.length > MAX_TOKEN_BYTES', 'false')],
    tests: ['packages/agent/test/exchanges/tasks.test.ts'],
  },
  {
    gate: 'exchanges: each process names its tasks',
    edits: [text('agent/exchanges/tasks.ts', 'task.instance === instance && task.id', 'task.id')],
    tests: ['packages/agent/test/exchanges/tasks.test.ts'],
  },
  {
    gate: 'exchanges: a task is asked about on a request of its own session',
    edits: [text('agent/exchanges/instance-use.ts', 'facts.session === session && ', '')],
    tests: ['packages/agent/test/exchanges/tasks.test.ts'],
  },
  {
    gate: 'exchanges: each process names its elicitations',
    edits: [
      text('agent/exchanges/asks.ts', 'named.findLast(({ asker }) => asker === instance)', 'named.at(-1)'),
    ],
    tests: ['packages/agent/test/exchanges/asks.test.ts'],
  },
  {
    gate: 'exchanges: short calls have no token of progress',
    edits: [text('agent/servers/tool-call.ts', "['progressToken']", '[]')],
    tests: ['packages/agent/test/servers.calls.test.ts'],
  },
  {
    gate: 'sessions: machines that were away learn of ends',
    edits: [text('bridge/exchanges/machine-clients.ts', 'ended.add(name, id)', '')],
    tests: ['test/bridge/ended-sessions.test.ts'],
  },
  {
    gate: 'sessions: machines whose connection was dead learn of ends',
    edits: [
      text(
        'bridge/exchanges/machine-clients.ts',
        'ended.add(name, id)',
        'if (connection === undefined) ended.add(name, id)',
      ),
    ],
    tests: attack('dead-connections'),
  },
  {
    gate: 'exchanges: machines whose connection was dead learn of revocations',
    edits: [
      text(
        'bridge/exchanges/machine-clients.ts',
        'client.isRevoked = true',
        'client.isRevoked = client.machine.connection === undefined',
      ),
    ],
    tests: attack('dead-connections'),
  },
  {
    gate: 'sessions: DELETE ends a session that its machine cannot confirm',
    edits: [text('bridge/northbound/session-requests.ts', ' || UNREACHED.has(error.code)', '')],
    tests: attack('dead-connections'),
  },
  {
    gate: 'sessions: an answer to a machine that is away is refused',
    edits: [
      text(
        'bridge/northbound/messages.ts',
        "message.kind === 'response' ? lostResponse(context)",
        'false ? lostResponse(context)',
      ),
    ],
    tests: ['test/bridge/sleeping-machine.test.ts'],
  },
  {
    gate: 'sessions: an ended one is refused while its machine is away',
    edits: [
      text('bridge/northbound/from-catalog.ts', "era === '2025' && message.method !== 'initialize'", 'false'),
    ],
    tests: ['test/bridge/sleeping-machine.test.ts'],
  },
  {
    gate: 'exchanges: revocations reach machines',
    edits: [text('bridge/assemble.ts', 'clients.revoked(each)', '')],
    tests: ['test/bridge/revoked-clients.test.ts'],
  },
  {
    gate: 'streams: a request does not wait for its machine for ever',
    edits: [
      text('bridge/northbound/one-server-stream.ts', 'if (!this.#open.isGone) this.#refuseAbsent()', ''),
      text('bridge/northbound/first-stream.ts', 'this.#isOver = true', ''),
    ],
    tests: ['test/bridge/held-streams.test.ts'],
  },
  {
    gate: 'streams: subscriptions that the bridge answers are counted',
    edits: [text('bridge/northbound/from-catalog.ts', 'open.stand() ?? ', '')],
    tests: ['test/bridge/mcp-readers.test.ts'],
  },
  {
    gate: 'streams: a held request is refused once',
    edits: [text('bridge/northbound/one-server-stream.ts', 'response.headersSent || ', '')],
    tests: ['test/bridge/held-streams.test.ts'],
  },
  {
    gate: 'exchanges: filtered lists are not read on',
    edits: [
      text('bridge/northbound/session-requests.ts', 'scopes === undefined ? undefined', 'true ? undefined'),
    ],
    tests: attack('session-ends'),
  },
  {
    gate: 'exchanges: filtered lists are not read on among all servers',
    edits: [
      text(
        'bridge/northbound/server-streams.ts',
        'end.message !== undefined) discard(end.message)',
        'end.message !== undefined) this.#reader.message(serverName, end.message, undefined)',
      ),
    ],
    tests: attack('session-ends'),
  },
  {
    gate: 'exchanges: authority by method',
    edits: [gate('bridge/gates/call-authority.ts', 'exchangeAuthorityGate', ALLOW)],
    tests: DISPATCHER,
  },
  {
    gate: 'exchanges: costly requests are counted',
    edits: [
      text(
        'bridge/router/call-gates.ts',
        'if (!ruleOf(asked.method).isCounted) return undefined\n    const nowMs',
        'return undefined\n    const nowMs',
      ),
    ],
    tests: DISPATCHER,
  },
]
