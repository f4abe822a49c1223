import { defineConfig } from 'vitest/config'
import { ClosingLine } from './scripts/closing-line.ts'

/** What refuses and what records is covered whole, line by line and branch by branch, by its own tests. */
export default defineConfig({
  test: {
    include: [
      'packages/bridge/test/{gates,limiters}/**/*.test.ts',
      'packages/{bridge,standalone}/test/security-log.*.test.ts',
    ],
    // What it shows is in other processes, whose lines are not counted.
    exclude: ['packages/standalone/test/security-log.kill.test.ts'],
    testTimeout: 60_000,
    setupFiles: [`${import.meta.dirname}/test/support/patience.ts`],
    expect: { poll: { timeout: 20_000 } },
    environment: 'node',
    pool: 'forks',
    maxWorkers: 2,
    reporters: ['default', new ClosingLine()],
    coverage: {
      enabled: true,
      provider: 'v8',
      include: [
        'packages/bridge/src/{gates,limiters,security-log}/**',
        'packages/bridge/src/memoize.ts',
        'packages/standalone/src/security-log/**',
      ],
      // events.ts is a table; node-log.ts opens the log of a node, which tests of whole nodes show.
      exclude: [
        'packages/bridge/src/security-log/events.ts',
        'packages/standalone/src/security-log/node-log.ts',
      ],
      reporter: ['text'],
      thresholds: { lines: 100, branches: 100, functions: 100, statements: 100 },
    },
  },
})
