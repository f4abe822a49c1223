import { MUTATION_AREAS } from './mutation-areas.ts'

const area = MUTATION_AREAS[process.env.BRIDGEKEEPER_MUTATE ?? 'guards']
if (area === undefined) throw new Error('BRIDGEKEEPER_MUTATE must name an area: see `npm run mutate`.')

/**
 * Mutation tests of the area in BRIDGEKEEPER_MUTATE: Stryker breaks the code in many ways, and a test must fail for each.
 * docs/mutation.md keeps the scores and says why each survivor survives.
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
  // A test that fails also stops Vitest, which then loses the failure now and then: its mutant would count as a survivor.
  disableBail: true,
  timeoutMS: 10_000,
  reporters: ['clear-text', 'progress'],
  clearTextReporter: { allowColor: false, allowEmojis: false, logTests: false, reportTests: false },
  tempDirName: '.stryker-tmp',
  cleanTempDir: 'always',
  disableTypeChecks: false,
  thresholds: { high: 95, low: area.atLeast, break: area.atLeast },
}
