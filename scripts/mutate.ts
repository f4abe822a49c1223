import { spawnSync } from 'node:child_process'
import { MUTATION_AREAS } from './mutation-areas.ts'

const USAGE = `Usage: npm run mutate -- [AREA]... [-- STRYKER ARGUMENT...]
Areas: ${Object.keys(MUTATION_AREAS).join(', ')}. Without one, all of them in turn.`

/** Runs Stryker once for each area. @returns the exit code: 1 where an area stays below its score */
function mutate(args: readonly string[]): number {
  const dashes = args.indexOf('--')
  const named = dashes === -1 ? args : args.slice(0, dashes)
  const strykerArgs = dashes === -1 ? [] : args.slice(dashes + 1)
  const unknown = named.find((name) => !Object.hasOwn(MUTATION_AREAS, name))
  if (unknown !== undefined) {
    console.error(`There is no area ${JSON.stringify(unknown)}.\n${USAGE}`)
    return 1
  }
  let code = 0
  for (const area of named.length === 0 ? Object.keys(MUTATION_AREAS) : named) {
    console.error(`Mutation tests of ${area}:`)
    const { status } = spawnSync(
      process.execPath,
      [
        'node_modules/@stryker-mutator/core/bin/stryker.js',
        'run',
        'scripts/stryker.config.mjs',
        ...strykerArgs,
      ],
      { stdio: 'inherit', env: { ...process.env, BRIDGEKEEPER_MUTATE: area } },
    )
    if (status !== 0) code = 1
  }
  return code
}

process.exitCode = mutate(process.argv.slice(2))
