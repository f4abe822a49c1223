import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Outcome, plant, runNode, transplant } from './planted.ts'

/** A tree that needs nothing from npm, with one task: `bench` prints its arguments and exits with 7. */
function plantProject(manifest: object = { name: 'tiny', version: '1.0.0' }): string {
  const root = plant({
    'package.json': JSON.stringify(manifest),
    'package-lock.json': JSON.stringify({
      name: 'tiny',
      version: '1.0.0',
      lockfileVersion: 3,
      packages: { '': { name: 'tiny', version: '1.0.0' } },
    }),
    'bench/main.ts':
      'const said: string[] = process.argv.slice(2)\nconsole.log(said.join("|"))\nprocess.exitCode = 7\n',
  })
  transplant(root, 'scripts/run.mjs', 'packages/cli/bin')
  return root
}

function bench(root: string): Promise<Outcome> {
  return runNode([join(root, 'scripts/run.mjs'), 'bench', 'two words', '--flag'])
}

test('[HOUSE.8] sets up before a task, once, and again after the lock file changes', async () => {
  const root = plantProject()
  const first = await bench(root)
  expect(first).toMatchObject({ code: 7, stderr: expect.stringContaining('Setting up (first run only)…') })
  expect(first.stdout).toMatch(/two words\|--flag\n$/)

  expect(await bench(root)).toEqual({ code: 7, stdout: 'two words|--flag\n', stderr: '' })

  appendFileSync(join(root, 'package-lock.json'), '\n')
  expect(await bench(root)).toMatchObject({ code: 7, stderr: expect.stringContaining('Setting up') })
})

test('[HOUSE.8] reports the next step and runs nothing when the set-up fails', async () => {
  const root = plantProject({ name: 'tiny', version: '1.0.0', dependencies: { 'not-locked': '1.0.0' } })
  const { code, stdout, stderr } = await bench(root)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/Setting up failed: .+ try again/)
})

test('[HOUSE.8] refuses an unknown task with the list of tasks', async () => {
  const outcome = await runNode([join(plantProject(), 'scripts/run.mjs'), 'constructor'])
  expect(outcome).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(
      'setup|demo|test|test:attack|check|coverage|mutate|ablate|conformance|interop|bench|bench:beside|bench:connections|bench:soak|test:tls',
    ),
  })
})
