import { type Ablation, ALLOW, attack, gate, text } from './ablation.ts'

/** Owners of MCP sessions, and the cost of their streams. */
export const SESSION_ABLATIONS: readonly Ablation[] = [
  {
    gate: 'mcp sessions: each belongs to one login',
    edits: [text('bridge/northbound/mcp-session.ts', 'identityText(owner)', "''")],
    tests: attack('mcp-session-ownership'),
  },
  {
    gate: 'mcp sessions: each belongs to one login, also once opened',
    edits: [text('bridge/northbound/mcp-session.ts', 'opened?.name === name', 'opened !== undefined')],
    tests: attack('mcp-session-ownership'),
  },
  {
    gate: 'mcp sessions: they end after 30 days',
    edits: [text('bridge/northbound/mcp-session.ts', 'return isOld || ', 'return ')],
    tests: ['test/bridge/mcp-sessions.test.ts'],
  },
  {
    gate: 'mcp sessions: an ended session stays ended',
    edits: [text('bridge/northbound/mcp-session.ts', ' || this.#ended.has(userId, id)', '')],
    tests: ['packages/bridge/test/mcp-session.test.ts', 'test/bridge/aggregate-streams.test.ts'],
  },
  {
    gate: 'mcp sessions: an id has one spelling',
    edits: [text('bridge/tokens/sealed.ts', "PREFIX + bytes.toString('base64url') !== sealed", 'false')],
    tests: ['test/attack/mcp-session-ownership.test.ts'],
  },
  {
    gate: 'mcp sessions: so many ended ones are remembered',
    edits: [text('bridge/collections/fair-set.ts', 'this.#size > this.#max', 'false')],
    tests: ['packages/bridge/test/mcp-session.test.ts'],
  },
  {
    gate: 'mcp sessions: those that a user ends flush none of another',
    edits: [text('bridge/collections/fair-set.ts', 'own.size > largest.size', "most === ''")],
    tests: ['packages/bridge/test/collections/fair-set.test.ts', 'packages/bridge/test/mcp-session.test.ts'],
  },
  {
    gate: 'mcp sessions: tools of a list within scopes',
    edits: [gate('bridge/northbound/filtered-list.ts', 'filteredList', 'return answer')],
    tests: attack('mcp-session-ownership'),
  },
  {
    gate: 'mcp sessions: a list within scopes is not read on',
    edits: [
      text(
        'bridge/northbound/exchange-requests.ts',
        'session !== undefined && begun === undefined && !isFiltered',
        'session !== undefined && begun === undefined',
      ),
    ],
    tests: attack('mcp-session-ownership'),
  },
  {
    gate: 'streams: so many of one user',
    edits: [gate('bridge/limiters/user-load.ts', 'stand', ALLOW)],
    tests: ['test/bridge/mcp-readers.test.ts'],
  },
  {
    gate: 'streams: a batch frees all that it counted',
    edits: [
      text(
        'bridge/northbound/open-request.ts',
        'this.#heldBytes, this.#standing',
        'this.#heldBytes, Math.min(1, this.#standing)',
      ),
    ],
    tests: ['test/bridge/mcp-readers.test.ts'],
  },
  {
    gate: 'streams: nothing is sent after a revocation',
    edits: [
      text(
        'bridge/northbound/open-request.ts',
        'if (this.response.headersSent) this.response.destroy()',
        'if (this.response.headersSent) return',
      ),
    ],
    tests: ['test/bridge/mcp-streams.test.ts'],
  },
  {
    gate: 'streams: a reader that takes nothing',
    edits: [
      text(
        'bridge/northbound/slow-callers.ts',
        'const taken = takenBytes(response)',
        'const taken = waitingBytes',
      ),
    ],
    tests: ['test/bridge/mcp-readers.test.ts'],
  },
]
