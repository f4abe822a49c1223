import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findNode24, NODE_24_MISSING } from '../packages/cli/bin/node24.mjs'
import { endAs, standIn } from '../packages/cli/bin/stand-in.mjs'

/**
 * The project's tasks: what Node 24 runs for each. This file itself also runs on Node 20 and without
 * node_modules, so it imports nothing that npm installs.
 * @type {Record<string, string[]>}
 */
const TASKS = {
  demo: ['scripts/demo.ts'],
  test: ['node_modules/vitest/vitest.mjs', 'run'],
  'test:attack': ['node_modules/vitest/vitest.mjs', 'run', 'test/attack'],
  check: ['scripts/check.ts'],
  coverage: ['node_modules/vitest/vitest.mjs', 'run', '--project', 'gates', '--coverage'],
  mutate: ['scripts/mutate.ts'],
  ablate: ['scripts/ablate.ts'],
  conformance: ['test/conformance/run.ts'],
  interop: ['test/interop/run.ts'],
  bench: ['bench/main.ts'],
  'bench:beside': ['bench/beside/main.ts'],
  'bench:connections': ['bench/connections/main.ts'],
  'bench:soak': ['bench/soak/main.ts'],
  'test:tls': ['scripts/testssl.ts'],
  pack: ['scripts/pack.ts'],
  'test:pack': ['scripts/test-pack.ts'],
}

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const stamp = join(root, 'node_modules', '.bridgekeeper-setup')
const lockHash = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex')

const [task = '', ...args] = process.argv.slice(2)
if (task !== 'setup' && !Object.hasOwn(TASKS, task)) {
  fail(`Usage: node scripts/run.mjs setup|${Object.keys(TASKS).join('|')} [arguments]`)
}
if (!isSetUp()) await setUp()
const command = TASKS[task]
if (command !== undefined) await run([...command, ...args])

function isSetUp() {
  try {
    return readFileSync(stamp, 'utf8') === lockHash
  } catch {
    return false
  }
}

async function setUp() {
  console.error('Setting up (first run only)…')
  // NODE_ENV=production or a user's npm settings would leave out what tests and the demo need.
  const npmArgs = ['ci', '--ignore-scripts', '--include=dev', '--include=optional', '--loglevel=error']
  const end =
    process.platform === 'win32'
      ? await standIn('cmd', ['/c', 'npm', ...npmArgs], { cwd: root })
      : await standIn('npm', npmArgs, { cwd: root })
  if (end.signal !== null) endAs(end)
  if (end.code !== 0) {
    fail(`Setting up failed: npm could not install the packages. What npm said is above. Check that this machine \
reaches your npm registry, then try again; to see more, run: npm ci --ignore-scripts`)
  }
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, lockHash)
}

/** @param {string[]} nodeArgs */
async function run(nodeArgs) {
  const node24 = findNode24()
  if (node24 === undefined) fail(NODE_24_MISSING)
  endAs(await standIn(node24, nodeArgs, { cwd: root, tied: task === 'demo' }))
}

/**
 * @param {string} message
 * @returns {never}
 */
function fail(message) {
  console.error(message)
  process.exit(1)
}
