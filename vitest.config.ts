import { defineConfig, type TestProjectConfiguration } from 'vitest/config'
import { ablation } from './scripts/ablate/plugin.ts'
import { ClosingLine } from './scripts/closing-line.ts'
import { MUTATION_AREAS } from './scripts/mutation-areas.ts'
import { SlowFirst } from './scripts/slow-first.ts'

/** Whether a protection is taken out; `npm run ablate` sets its number. */
const ABLATES = process.env.BRIDGEKEEPER_ABLATE !== undefined
/** Area under mutation tests; set by `npm run mutate`. */
const MUTATED = process.env.BRIDGEKEEPER_MUTATE

/** Tests that alone must cover the gates, limiters and security log; `npm run coverage` runs only these. */
const GATES = [
  'packages/bridge/test/{gates,limiters}/**/*.test.ts',
  'packages/bridge/test/admission/address-guard.test.ts',
  // The kill test checks other processes, and coverage does not count lines of those.
  'packages/{bridge,standalone}/test/security-log.!(kill).test.ts',
]

/** Tests that measure the memory of their own process: each gets a fresh one. */
const MEMORY = [
  'packages/agent/test/lines.test.ts',
  'test/attack/released-memory.test.ts',
  'test/attack/w27-memory.test.ts',
  'test/attack/w31-compression.test.ts',
]

/** Tests of the packed packages, which CI runs in a step of their own, on several versions of Node. */
const PACK = ['test/pack/**/*.test.ts']

const tests: TestProjectConfiguration[] = [
  // Without isolation, the code is loaded once per worker instead of once per file: half the processor time.
  { extends: true, test: { name: 'gates', include: GATES, isolate: false } },
  { extends: true, test: { name: 'memory', include: MEMORY } },
  { extends: true, test: { name: 'pack', include: PACK } },
  {
    extends: true,
    test: {
      name: 'others',
      include: ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
      exclude: ['**/node_modules/**', ...GATES, ...MEMORY, ...PACK],
      isolate: false,
    },
  },
]

/** The fast tests of one area, resolved so that packages import the mutated sources, not the ones in node_modules. */
function mutants(area: string): TestProjectConfiguration {
  const entries = ['bridge', 'standalone', 'agent'].flatMap((name) =>
    // The longest name first: an alias also matches longer names that begin with it.
    ['/testing', '/parts', ''].map((entry) => [
      `@bridgekeeper/${name}${entry}`,
      `${import.meta.dirname}/packages/${name}/src/${entry.slice(1) || 'index'}.ts`,
    ]),
  )
  return {
    extends: true,
    resolve: { alias: Object.fromEntries(entries) },
    test: { name: 'mutants', include: [...(MUTATION_AREAS[area]?.tests ?? [])], testTimeout: 30_000 },
  }
}

export default defineConfig({
  plugins: ABLATES ? [ablation(import.meta.dirname)] : [],
  test: {
    environment: 'node',
    pool: 'forks',
    // Most tests of whole programs wait for other processes.
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    sequence: { sequencer: SlowFirst },
    setupFiles: [`${import.meta.dirname}/test/support/each-file.ts`],
    unstubEnvs: true,
    expect: { poll: { timeout: 20_000 } },
    // Programs under test start in about half the time when Node need not compile them again.
    env: { NODE_COMPILE_CACHE: `${import.meta.dirname}/node_modules/.cache/bridgekeeper-tests` },
    reporters: ['default', new ClosingLine()],
    projects: MUTATED === undefined ? tests : [mutants(MUTATED)],
    coverage: {
      provider: 'v8',
      include: [
        'packages/bridge/src/{gates,limiters,security-log}/**',
        'packages/bridge/src/admission/address-guard.ts',
        'packages/bridge/src/memoize.ts',
        'packages/standalone/src/security-log/**',
      ],
      exclude: [
        // A table and its types, without branches to cover.
        'packages/bridge/src/security-log/events.ts',
        // Their remaining branches need a disk that fails under a running node.
        'packages/standalone/src/security-log/{node-log,outbox-drain}.ts',
      ],
      reporter: ['text'],
      thresholds: { lines: 100, branches: 100, functions: 100, statements: 100 },
    },
  },
})
