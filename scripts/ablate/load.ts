import type { Ablation, Edit } from './gates.ts'

function gate(file: string, within: string, first: string): Edit {
  return { file: `packages/server/src/${file}`, within, first }
}

/** Bounds of what one peer may make the bridge hold, compute or log. */
export const LOAD_ABLATIONS: readonly Ablation[] = [
  {
    gate: 'calls: a late answer to an abandoned call is expected once',
    edits: [gate('connection/abandoned-calls.ts', 'take', 'return this.#ids.has(id)')],
    tests: ['test/bridge/late-answers.test.ts'],
  },
]
