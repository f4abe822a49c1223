import { defineConfig } from 'vitest/config'
import { ClosingLine } from './scripts/closing-line.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
    environment: 'node',
    pool: 'forks',
    // Most tests of whole programs wait for other processes.
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    setupFiles: [`${import.meta.dirname}/test/support/patience.ts`],
    expect: { poll: { timeout: 20_000 } },
    // Programs under test start in about half the time when Node need not compile them again.
    env: { NODE_COMPILE_CACHE: `${import.meta.dirname}/node_modules/.cache/bridgekeeper-tests` },
    reporters: ['default', new ClosingLine()],
  },
})
