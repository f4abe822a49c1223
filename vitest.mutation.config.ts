import { defineConfig } from 'vitest/config'
import { MUTATION_AREAS } from './scripts/mutation-areas.ts'

/** The tests that judge mutants of one area, so that each mutant takes moments: `npm run mutate` says which. */
export default defineConfig({
  // By its name, a package is the one in node_modules, which no mutant is in.
  resolve: {
    alias: {
      '@bridgekeeper/server': `${import.meta.dirname}/packages/server/src/index.ts`,
      '@bridgekeeper/agent': `${import.meta.dirname}/packages/agent/src/index.ts`,
    },
  },
  test: {
    include: [...(MUTATION_AREAS[process.env.BRIDGEKEEPER_MUTATE ?? 'guards']?.tests ?? [])],
    environment: 'node',
    testTimeout: 30_000,
    setupFiles: [`${import.meta.dirname}/test/support/patience.ts`],
    expect: { poll: { timeout: 20_000 } },
  },
})
