import { defineConfig } from 'vitest/config'

/** The tests that judge mutants: those of the mutated files alone, so that each mutant takes moments. */
export default defineConfig({
  // By its name, a package is the one in node_modules, which no mutant is in.
  resolve: { alias: { '@bridgekeeper/server': `${import.meta.dirname}/packages/server/src/index.ts` } },
  test: {
    include: [
      'packages/server/test/gates/{rate-limit,sliding-window,challenge,lockout,credential}.test.ts',
      'packages/server/test/tokens*.test.ts',
      'packages/server/test/access-tokens.test.ts',
      'packages/server/test/security-log.{redact,lines}.test.ts',
    ],
    environment: 'node',
    testTimeout: 30_000,
  },
})
