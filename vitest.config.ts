import { defineConfig } from 'vitest/config'
import { ablation } from './scripts/ablate/plugin.ts'
import { ClosingLine } from './scripts/closing-line.ts'

/** Set by `npm run ablate`: the protection that these tests run without. */
const taken = process.env.BRIDGEKEEPER_ABLATE

export default defineConfig({
  plugins: taken === undefined ? [] : [ablation(taken, import.meta.dirname)],
  test: {
    include: ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
    environment: 'node',
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ['default', new ClosingLine()],
  },
})
