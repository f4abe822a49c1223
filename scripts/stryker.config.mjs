import { MUTATION_AREAS } from './mutation-areas.ts'

const area = MUTATION_AREAS[process.env.BRIDGEKEEPER_MUTATE ?? 'guards']
if (area === undefined) throw new Error('BRIDGEKEEPER_MUTATE must name an area: see `npm run mutate`.')

/**
 * Mutation tests of the area in BRIDGEKEEPER_MUTATE, run by mutate.ts: Stryker breaks the code in many ways, and a test
 * must fail for each. docs/mutation.md keeps the scores and says why each survivor survives.
 *
 * @type {import('@stryker-mutator/api/core').PartialStrykerOptions}
 */
export default {
  testRunner: 'vitest',
  vitest: { configFile: 'vitest.config.ts', related: false },
  // Stryker would rewrite tsconfig.json with TypeScript's JS API, which TypeScript 7 has not; nothing here needs it.
  tsconfigFile: 'not-needed.json',
  plugins: ['@stryker-mutator/vitest-runner'],
  mutate: [...area.mutate],
  coverageAnalysis: 'perTest',
  concurrency: 2,
  disableBail: process.env.BRIDGEKEEPER_MUTATE_FAILURES === 'all',
  timeoutMS: 20_000,
  reporters: ['progress', 'json'],
  jsonReporter: {
    fileName: process.env.BRIDGEKEEPER_MUTATE_REPORT ?? 'node_modules/.cache/mutation/area.json',
  },
  tempDirName: '.stryker-tmp',
  cleanTempDir: 'always',
  disableTypeChecks: false,
}
