/**
 * Builds every published package and packs each into a tarball of JavaScript, source maps and types.
 *
 * Usage: node scripts/pack.ts [FOLDER]   (default: dist)
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { declarations, type Manifest, publishedManifest } from './pack/manifest.ts'

const PACKAGES = ['protocol', 'bridge', 'standalone', 'agent', 'cli'] as const
/** Loads Node's types also in an app whose `types` setting is empty. */
const NODE_TYPES = '/// <reference types="node" preserve="true" />\n'

const root = resolve(import.meta.dirname, '..')
const output = resolve(process.argv[2] ?? join(root, 'dist'))
const packages = join(output, 'packages')
rmSync(packages, { recursive: true, force: true })
for (const tarball of globSync('*.tgz', { cwd: output })) rmSync(join(output, tarball))
run(process.execPath, [
  ...['node_modules/typescript/bin/tsc', '--project', 'tsconfig.pack.json'],
  ...['--outDir', packages],
])
const stages = PACKAGES.map(stage)
run('npm', ['pack', '--silent', '--pack-destination', output, ...stages])

/** Completes the compiled package to what is published. @returns its folder */
function stage(name: string): string {
  const source = join(root, 'packages', name)
  const folder = join(packages, name)
  const manifest: Manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'))
  writeFileSync(
    join(folder, 'package.json'),
    `${JSON.stringify(publishedManifest(manifest), undefined, 2)}\n`,
  )
  cpSync(join(source, 'src'), join(folder, 'src'), {
    recursive: true,
    filter: (path) => !path.endsWith('.ts'),
  })
  for (const map of globSync('src/**/*.map', { cwd: folder })) renameSource(join(folder, map))
  for (const entry of declarations(manifest)) {
    const path = join(folder, entry)
    writeFileSync(path, NODE_TYPES + readFileSync(path, 'utf8'))
  }
  for (const file of ['README.md', 'bin']) {
    if (existsSync(join(source, file))) cpSync(join(source, file), join(folder, file), { recursive: true })
  }
  cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'))
  return folder
}

/** A source map contains its source; names it as if it were beside the JavaScript, instead of in this repository. */
function renameSource(path: string): void {
  const map: object = JSON.parse(readFileSync(path, 'utf8'))
  writeFileSync(path, JSON.stringify({ ...map, sources: [basename(path).replace(/\.js\.map$/, '.ts')] }))
}

function run(command: string, args: readonly string[]): void {
  const shell = process.platform === 'win32' && command === 'npm'
  const { status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], shell })
  if (status !== 0) throw new Error(`Failed: ${command} ${args.join(' ')}`)
}
