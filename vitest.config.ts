import { defineConfig } from 'vitest/config'
import { ClosingLine } from './scripts/closing-line.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
    environment: 'node',
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    setupFiles: [`${import.meta.dirname}/test/support/patience.ts`],
    expect: { poll: { timeout: 20_000 } },
    reporters: ['default', new ClosingLine()],
  },
})
