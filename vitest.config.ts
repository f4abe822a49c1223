import { defineConfig } from 'vitest/config'
import { ClosingLine } from './scripts/closing-line.ts'

/** Set by `npm run ablate`: the protection that these tests run without. */
const taken = process.env.BRIDGEKEEPER_ABLATE

async function withoutProtection(number: string) {
  const { ablation } = await import('./scripts/ablate/plugin.ts')
  return [ablation(number, import.meta.dirname)]
}

export default defineConfig({
  plugins: taken === undefined ? [] : await withoutProtection(taken),
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
