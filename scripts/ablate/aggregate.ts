import { type Ablation, gate, text } from './ablation.ts'

const AGGREGATE = ['test/bridge/aggregate.test.ts']
const SLEEPING = ['test/bridge/sleeping-machine.test.ts']
const LAST_KNOWN = ['packages/bridge/test/directory/last-known.test.ts']
const ITEMS = 'bridge/northbound/aggregate/list-items.ts'

/** Protections of `/mcp`, where all servers of a user are one. */
export const AGGREGATE_ABLATIONS: readonly Ablation[] = [
  {
    gate: 'aggregate: a large answer that does not arrive delays no list',
    edits: [
      text(
        'bridge/northbound/aggregate/gatherer.ts',
        'const reader = new EndReader((end) => {',
        'const reader = new EndReader((end) => {\nasked.running.delete(cancel)',
      ),
    ],
    tests: ['test/bridge/aggregate-edges.test.ts'],
  },
  {
    gate: 'aggregate: so many positions of a stream are remembered',
    edits: [text('bridge/northbound/server-streams.ts', 'this.#positions.size > MAX_POSITIONS', 'false')],
    tests: ['test/bridge/aggregate-streams.test.ts'],
  },
  {
    gate: 'aggregate: the servers of a revoked machine are forgotten',
    edits: [text('bridge/assemble.ts', 'directory.forget(each)', '')],
    tests: SLEEPING,
  },
  {
    gate: 'aggregate: so many machines of a user are remembered',
    edits: [text('bridge/directory/last-known.ts', 'index >= MAX_MACHINES', 'false')],
    tests: LAST_KNOWN,
  },
  {
    gate: 'aggregate: so many bytes of all users are remembered',
    edits: [text('bridge/directory/last-known.ts', 'this.#sizeBytes <= this.#maxBytes', 'true')],
    tests: LAST_KNOWN,
  },
  {
    gate: 'aggregate: the status tool names only servers that a token may list',
    edits: [gate('bridge/gates/call-authority.ts', 'mayKnow', 'return true')],
    tests: SLEEPING,
  },
  {
    gate: 'aggregate: no local server takes the name of the status tool',
    edits: [text('bridge/northbound/tool-names.ts', 'serverName !== OWN_NAME', 'true')],
    tests: SLEEPING,
  },
  {
    gate: 'aggregate: lists show only tools that a token may list',
    edits: [text(ITEMS, '!mayList(scopes, serverName, item.key)', 'false')],
    tests: AGGREGATE,
  },
  {
    gate: 'aggregate: an odd prompt hides no others',
    edits: [text(ITEMS, 'isStrictPrompt(parsed(item.raw))', 'true')],
    tests: AGGREGATE,
  },
  {
    gate: 'aggregate: equal URIs of two servers are told apart',
    edits: [text(ITEMS, 'serverName === ownerName', 'true')],
    tests: AGGREGATE,
  },
  {
    gate: 'aggregate: a tool claims only the URI of an App',
    edits: [text('bridge/northbound/aggregate/resource-names.ts', 'uri?.startsWith(APP_SCHEME)', 'uri')],
    tests: AGGREGATE,
  },
  {
    gate: 'aggregate: a list holds so many bytes of a server',
    edits: [text('bridge/northbound/aggregate/lists.ts', 'bytes > MAX_LIST_BYTES', 'false')],
    tests: ['test/bridge/aggregate-edges.test.ts'],
  },
  {
    gate: 'aggregate: lists need the scope of their method',
    edits: [text('bridge/northbound/aggregate/requests.ts', 'authority.allowed', 'true')],
    tests: AGGREGATE,
  },
]
