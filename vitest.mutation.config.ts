import { defineConfig } from 'vitest/config'
import { MUTATION_AREAS } from './scripts/mutation-areas.ts'

/** The tests that judge mutants of one area, so that each mutant takes moments: `npm run mutate` says which. */
export default defineConfig({
  // By its name, a package is the one in node_modules, which no mutant is in.
  resolve: {
    alias: {
      ...Object.fromEntries(
        ['bridge', 'standalone', 'agent'].flatMap((name) =>
          ['index', 'parts', 'testing']
            .map((entry) => [
              `@bridgekeeper/${name}${entry === 'index' ? '' : `/${entry}`}`,
              `${import.meta.dirname}/packages/${name}/src/${entry}.ts`,
            ])
            .reverse(),
        ),
      ),
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
