import { type Ablation, gate, text } from './ablation.ts'

/** Bounds of what one peer may make the bridge hold, compute or log. */
export const LOAD_ABLATIONS: readonly Ablation[] = [
  {
    gate: 'calls: a late answer to an abandoned call is expected once',
    edits: [gate('bridge/connection/agent-calls.ts', 'take', 'return this.#ids.has(id)')],
    tests: ['test/bridge/late-answers.test.ts'],
  },
  {
    gate: 'rate limit: a call counts before its obstacle is looked at',
    edits: [
      text(
        'bridge/router/dispatcher.ts',
        'const refusal = this.#gates.refusal(caller, askedBy(call)) ?? (obstacle && new BridgeError(obstacle))',
        'const refusal = obstacle ? new BridgeError(obstacle) : this.#gates.refusal(caller, askedBy(call))',
      ),
    ],
    tests: ['test/attack/burst-of-calls.test.ts'],
  },
  {
    gate: 'load: so many requests of one user are open',
    edits: [text('bridge/limiters/user-load.ts', 'this.#openRequests >= MAX_OPEN_REQUESTS', 'false')],
    tests: ['test/attack/greedy-callers.test.ts'],
  },
  {
    gate: 'load: so much of one user is held',
    edits: [gate('bridge/northbound/open-request.ts', 'hold', 'return undefined')],
    tests: ['test/attack/greedy-callers.test.ts'],
  },
  {
    gate: 'load: unread results of one user are bounded',
    edits: [text('bridge/limiters/user-load.ts', 'this.#heldBytes + sizeBytes > maxBytes', 'false')],
    tests: ['test/attack/unread-results.test.ts'],
  },
  {
    gate: 'load: messages are counted',
    edits: [gate('bridge/northbound/open-request.ts', 'spend', 'return undefined')],
    tests: ['test/attack/greedy-requests.test.ts'],
  },
  {
    gate: 'load: refused requests are counted',
    edits: [gate('bridge/northbound/open-request.ts', 'charge', 'return')],
    tests: ['test/attack/greedy-requests.test.ts'],
  },
  {
    gate: 'load: batches are bounded',
    edits: [text('bridge/northbound/message.ts', 'arrayItems(body, MAX_BATCH)', 'arrayItems(body, 10_000)')],
    tests: ['test/attack/greedy-requests.test.ts'],
  },
  {
    gate: 'load: messages of a batch are counted one by one',
    edits: [text('bridge/limiters/user-load.ts', ' + messages - 1', '')],
    tests: ['test/attack/greedy-requests.test.ts'],
  },
  {
    gate: 'calls: a notice cancels only calls of the same client',
    edits: [gate('bridge/northbound/cancel.ts', 'isSameClient', 'return true')],
    tests: ['test/bridge/cancel.test.ts'],
  },
  {
    gate: 'calls: a repeated member is refused',
    edits: [
      text(
        'bridge/northbound/message.ts',
        'if (members.includes(TWICE)) return invalid',
        'if (false) return invalid',
      ),
      text('bridge/northbound/message.ts', 'if (!members.includes(TWICE)) return members', 'return members'),
    ],
    tests: ['test/bridge/requests.test.ts'],
  },
  {
    gate: 'calls: the envelope of the caller stays at the bridge',
    edits: [gate('bridge/northbound/revision.ts', 'metaToForward', 'return rawMeta')],
    tests: ['test/bridge/call-meta.test.ts'],
  },
  {
    gate: 'load: answers of a batch are held within limits',
    edits: [
      text(
        'bridge/northbound/batches.ts',
        'const refused = open.hold(sizeBytes)',
        'const refused = undefined',
      ),
    ],
    tests: ['test/attack/greedy-callers.test.ts'],
  },
  {
    gate: 'load: a large answer of a batch counts before it arrives',
    edits: [
      text(
        'bridge/northbound/batches.ts',
        'const refused = this.#hold(sizeOf(pieces))',
        'const refused = undefined as BridgeError | undefined',
      ),
    ],
    tests: ['test/bridge/large-results.test.ts'],
  },
  {
    gate: 'revocation: a batch sends nothing to a revoked caller',
    edits: [text('bridge/northbound/batches.ts', 'if (open.isGone) return', '')],
    tests: ['test/bridge/large-results.test.ts'],
  },
  {
    gate: 'load: answers for /mcp are held within limits',
    edits: [
      text(
        'bridge/northbound/aggregate/gatherer.ts',
        'const refused = this.#open.hold(sizeBytes)',
        'const refused = undefined',
      ),
    ],
    tests: ['test/bridge/aggregate-edges.test.ts'],
  },
  {
    gate: 'load: answers for /mcp are held until they are used',
    edits: [text('bridge/northbound/aggregate/gatherer.ts', 'asked.free()', '')],
    tests: ['test/bridge/aggregate-edges.test.ts'],
  },
  {
    gate: 'load: large messages of merged streams are held within limits',
    edits: [text('bridge/northbound/aggregate/read-merged.ts', ' || open.hold(sizeBytes) !== undefined', '')],
    tests: ['test/bridge/aggregate-streams.test.ts'],
  },
  {
    gate: 'load: a request for all servers is bounded',
    edits: [gate('bridge/northbound/aggregate/requests.ts', 'checkSize', 'return')],
    tests: ['test/bridge/aggregate-edges.test.ts'],
  },
  {
    gate: 'load: methods and names of tools are bounded',
    edits: [
      text('bridge/northbound/message.ts', 'const MAX_NAME_CHARS = 2_048', 'const MAX_NAME_CHARS = 1e9'),
    ],
    tests: ['test/bridge/requests.test.ts'],
  },
  {
    gate: 'load: long ids are not parsed to compare them',
    edits: [
      text(
        'bridge/northbound/message.ts',
        'if (Math.max(one.length, other.length) > MAX_NAME_CHARS) return false',
        '',
      ),
    ],
    tests: ['packages/bridge/test/call-params.test.ts'],
  },
  {
    gate: 'load: further pages of a list are counted',
    edits: [text('bridge/northbound/aggregate/lists.ts', 'if (page > 0) open.charge(0)', '')],
    tests: ['test/bridge/aggregate-edges.test.ts'],
  },
  {
    gate: 'load: a long scope is not named in a header',
    edits: [text('bridge/northbound/www-authenticate.ts', ' && neededScope.length <= MAX_SCOPE_CHARS', '')],
    tests: ['test/attack/w24-scopes.test.ts'],
  },
  {
    gate: 'catalog: what is read of a server occurs once',
    edits: [text('protocol/catalog-texts.ts', 'spans.includes(TWICE) ? [] : ', '')],
    tests: ['test/bridge/catalog-bytes.test.ts'],
  },
  {
    gate: 'load: a list is serialised once',
    edits: [text('bridge/northbound/list-cache.ts', 'if (known !== undefined) return known', '')],
    tests: ['test/attack/greedy-requests.test.ts'],
  },
  {
    gate: 'load: a caller that does not read is cut off',
    edits: [gate('bridge/northbound/slow-callers.ts', 'timeUp', 'return')],
    tests: ['test/attack/greedy-callers.test.ts'],
  },
  {
    gate: 'load: pipelined requests are bounded',
    edits: [gate('bridge/attach.ts', 'boundPipelining', 'return')],
    tests: ['test/attack/greedy-callers.test.ts'],
  },
  {
    gate: 'load: an agent that floods frames is read more slowly',
    edits: [gate('bridge/southbound/agent-web-socket.ts', 'pauseFor', 'return')],
    tests: ['test/attack/flooding-agents.test.ts'],
  },
  {
    gate: 'blocks: a lift holds from the next request on',
    edits: [gate('bridge/admission/durable-blocks.ts', 'recheck', 'return undefined')],
    tests: ['test/attack/burst-of-calls.test.ts'],
  },
  {
    gate: 'embedding: a listener that throws is contained',
    edits: [gate('bridge/bridge-events.ts', 'notify', 'return void listener(notice)')],
    tests: ['test/bridge/app-events.test.ts'],
  },
]
