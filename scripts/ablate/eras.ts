import { type Ablation, text } from './ablation.ts'

const ROUNDS = ['packages/agent/test/eras/rounds.test.ts']

/** Checks of the translation between eras. */
export const ERA_ABLATIONS: readonly Ablation[] = [
  {
    gate: 'eras: a state belongs to one client',
    edits: [text('agent/eras/request-state.ts', '[client, serverName, method]', '[serverName, method]')],
    tests: ROUNDS,
  },
  {
    gate: 'eras: a state belongs to one method',
    edits: [text('agent/eras/request-state.ts', '[client, serverName, method]', '[client, serverName]')],
    tests: ROUNDS,
  },
  {
    gate: 'eras: a state belongs to its parameters',
    edits: [text('agent/eras/request-state.ts', '!UNBOUND.includes(name)', 'name === undefined')],
    tests: ROUNDS,
  },
  {
    gate: 'eras: a state has one spelling',
    edits: [text('agent/eras/request-state.ts', "bytes.toString('base64url') !== state || ", '')],
    tests: ROUNDS,
  },
  {
    gate: 'eras: a state is used once',
    edits: [text('agent/eras/rounds.ts', '    this.#parked.delete(call)\n', '')],
    tests: ROUNDS,
  },
  {
    gate: 'eras: a used state with other answers',
    edits: [text('agent/eras/rounds.ts', 'used !== undefined && used.answers !== answers', 'false')],
    tests: ROUNDS,
  },
  {
    gate: 'eras: answers that are not objects',
    edits: [
      text('agent/eras/request-state.ts', 'areObjects ? new Map(answers) : undefined', 'new Map(answers)'),
    ],
    tests: ROUNDS,
  },
  {
    gate: 'eras: calls of a server that wait for their clients',
    edits: [text('agent/eras/rounds.ts', 'waiting.length > MAX_PARKED_RUNS', 'false')],
    tests: ROUNDS,
  },
  {
    gate: 'eras: a question that the 2026 client did not declare',
    edits: [
      text('agent/eras/run-2026.ts', '!this.#client.traits.includes(ask.trait)', 'ask.trait === undefined'),
    ],
    tests: ['packages/agent/test/eras/client-2026.test.ts'],
  },
  {
    gate: 'eras: a question that the 2025 client did not declare',
    edits: [
      text(
        'agent/eras/ask-2025.ts',
        'session?.facts.traits.includes(trait) === true',
        'session !== undefined',
      ),
    ],
    tests: ['packages/agent/test/eras/client-2025.test.ts'],
  },
  {
    gate: 'eras: roots of the 2025 client',
    edits: [text('agent/eras/ask-2025.ts', "roots.kind !== 'client'", 'false')],
    tests: ['packages/agent/test/eras/client-2025.test.ts'],
  },
  {
    gate: 'eras: parameters with two meanings',
    edits: [text('agent/eras/translation.ts', 'objectMembers(params) === undefined', 'params.length === 0')],
    tests: ['packages/agent/test/eras/client-2026.test.ts'],
  },
]
