import { defineConfig, mergeConfig } from 'vitest/config'
import { ablation } from './scripts/ablate/plugin.ts'
import base from './vitest.config.ts'

/** The tests without one protection: `npm run ablate` says which. */
export default mergeConfig(
  base,
  defineConfig({ plugins: [ablation(process.env.BRIDGEKEEPER_ABLATE ?? '', import.meta.dirname)] }),
)
