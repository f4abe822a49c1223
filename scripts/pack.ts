/**
 * Builds every published package in `dist/packages` and packs each into a tarball in `dist`.
 *
 * A tarball holds JavaScript, source maps and types. Usage: node scripts/pack.ts
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { type Manifest, publishedManifest } from './pack/manifest.ts'

/** In the order of their dependencies: each is compiled against the built types of those before it. */
const PACKAGES = ['protocol', 'bridge', 'standalone', 'agent', 'cli'] as const

const root = resolve(import.meta.dirname, '..')
const output = join(root, 'dist')
rmSync(output, { recursive: true, force: true })
for (const name of PACKAGES) pack(name)

function pack(name: string): void {
  const source = join(root, 'packages', name)
  const stage = join(output, 'packages', name)
  mkdirSync(stage, { recursive: true })
  compile(name, source, stage)
  const manifest: Manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'))
  writeFileSync(join(stage, 'package.json'), `${JSON.stringify(publishedManifest(manifest), undefined, 2)}\n`)
  cpSync(join(source, 'src'), join(stage, 'src'), {
    recursive: true,
    filter: (path) => !path.endsWith('.ts'),
  })
  for (const file of ['README.md', 'bin']) {
    if (existsSync(join(source, file))) cpSync(join(source, file), join(stage, file), { recursive: true })
  }
  cpSync(join(root, 'LICENSE'), join(stage, 'LICENSE'))
  run('npm', ['pack', '--silent', '--pack-destination', output], stage)
}

function compile(name: string, source: string, stage: string): void {
  const config = join(output, `tsconfig.${name}.json`)
  const types = (entry: string) => PACKAGES.map((one) => [one, entry] as const)
  const paths = Object.fromEntries(
    [...types('index'), ...types('parts'), ...types('settings')].map(([one, entry]) => [
      `@bridgekeeper/${one}${entry === 'index' ? '' : `/${entry}`}`,
      [`./packages/${one}/src/${entry}.d.ts`],
    ]),
  )
  const options = {
    extends: relative(output, join(root, 'tsconfig.json')),
    compilerOptions: {
      noEmit: false,
      rootDir: source,
      outDir: stage,
      declaration: true,
      sourceMap: true,
      inlineSources: true,
      rewriteRelativeImportExtensions: true,
      allowJs: false,
      checkJs: false,
      typeRoots: [join(root, 'node_modules/@types')],
      paths,
    },
    include: [join(source, 'src')],
    exclude: [join(source, 'src/testing.ts')],
  }
  writeFileSync(config, JSON.stringify(options))
  run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '--project', config], root)
  rmSync(config)
}

function run(command: string, args: readonly string[], cwd: string): void {
  const shell = process.platform === 'win32' && command === 'npm'
  const { status } = spawnSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'], shell })
  if (status !== 0) throw new Error(`Failed in ${cwd}: ${command} ${args.join(' ')}`)
}
