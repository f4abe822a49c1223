import type { Ablation, Edit } from './gates.ts'

function gate(file: string, within: string, first: string): Edit {
  return { file: `packages/server/src/${file}`, within, first }
}

function text(file: string, find: string, replace: string): Edit {
  return { file: `packages/server/src/${file}`, find, replace }
}

/** Bounds of what one peer may make the bridge hold, compute or log. */
export const LOAD_ABLATIONS: readonly Ablation[] = [
  {
    gate: 'calls: a late answer to an abandoned call is expected once',
    edits: [gate('connection/abandoned-calls.ts', 'take', 'return this.#ids.has(id)')],
    tests: ['test/bridge/late-answers.test.ts'],
  },
  {
    gate: 'rate limit: a call counts before its obstacle is looked at',
    edits: [
      text(
        'router/dispatcher.ts',
        'const refusal = this.#refusal(caller, call) ?? (obstacle && new BridgeError(obstacle))',
        'const refusal = obstacle ? new BridgeError(obstacle) : this.#refusal(caller, call)',
      ),
    ],
    tests: ['test/attack/burst-of-calls.test.ts'],
  },
  {
    gate: 'blocks: a lift holds from the next request on',
    edits: [gate('admission/durable-blocks.ts', 'recheck', 'return undefined')],
    tests: ['test/attack/burst-of-calls.test.ts'],
  },
]
