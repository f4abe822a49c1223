/**
 * Checks which file imports which: the layers and owners of imports/rules.ts, packages by name only, nothing
 * undeclared, no cycles, and no clock, randomness or environment where it must be passed in.
 *
 * Usage: node scripts/check-imports.ts [ROOT]
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cyclesIn } from './imports/cycles.ts'
import { areaOf, type GlobalUse, type Import, packageOf, readContents, type Target } from './imports/read.ts'
import { BANS, LAYERS, type Layer, OWNERS, type Owner, PACKAGES } from './imports/rules.ts'
import { type Finding, lineAt, readSources, report, rootArgument, type Source } from './sources.ts'

interface Module extends Source {
  readonly area: string
  /** Folder of its package; `undefined` for `test`, `bench` and `scripts` at the root. */
  readonly package: string | undefined
  /** Whether it runs for users. The others are tests, benchmarks and scripts. */
  readonly isProduct: boolean
  readonly imports: readonly Import[]
  readonly globals: readonly GlobalUse[]
}

type DependencyKind = 'dependencies' | 'peerDependencies' | 'optionalDependencies' | 'devDependencies'
type Manifest = Partial<Record<DependencyKind, Readonly<Record<string, string>>>>

const CHECKED = /^(?:packages\/[^/]+\/(?:src|bin|test)|test|bench|scripts)\/|^[^/]+$/

const WORKSPACES = [
  'bridgekeeper',
  ...['agent', 'bridge', 'protocol', 'standalone'].map((name) => `@bridgekeeper/${name}`),
]

const root = rootArgument()
const manifests = new Map<string, Manifest>()
const modules = readSources(root, CHECKED, /\.m?[jt]s$/).map(toModule)
const findings = [...modules.flatMap(judgeModule), ...cycles()]
if (!modules.some(({ isProduct }) => isProduct)) {
  findings.push({ path: 'packages', line: 1, rule: 'empty', reason: 'no file to check' })
}
report(findings, `imports: ${modules.length} files follow the rules`)

function toModule(source: Source): Module {
  const isProduct = /^packages\/[^/]+\/(?:src|bin)\//.test(source.path)
  return {
    ...source,
    area: areaOf(source.path),
    package: packageOf(source.path),
    isProduct,
    ...readContents(source),
  }
}

function judgeModule(module: Module): Finding[] {
  const found = module.imports.flatMap((one) =>
    [...judge(module, one)].map(([rule, reason]) => finding(module, one.start, rule, reason)),
  )
  const used = module.globals
    .filter(({ kind }) => isBanned(module, kind))
    .map(({ start, name, kind }) => finding(module, start, kind, `${name}: ${BANS[kind].because}`))
  return [...found, ...used]
}

function finding({ path, text }: Module, start: number, rule: string, reason: string): Finding {
  return { path, line: lineAt(text, start), rule, reason }
}

function* judge(module: Module, { typeOnly, target }: Import): Generator<[rule: string, reason: string]> {
  if (target.kind === 'file' && crosses(module, target.path)) {
    yield ['crossing', `${target.path} is outside this package; import a package by name`]
    return
  }
  if (module.isProduct) yield* judgeProduct(module, typeOnly, target)
  if (target.kind === 'file' || target.name.startsWith('node:')) return
  if (!declared(module).has(target.name)) {
    const where = module.package === undefined ? 'package.json' : `packages/${module.package}/package.json`
    yield ['undeclared', `${where} does not declare ${target.name}`]
  }
}

/** Product code stays in its package. Other code may import files of `src` only in tests of the same package. */
function crosses(module: Module, path: string): boolean {
  const home = packageOf(path)
  if (module.isProduct) return home !== module.package
  return home !== module.package && path.startsWith(`packages/${home}/src/`)
}

function* judgeProduct(
  module: Module,
  typeOnly: boolean,
  target: Target,
): Generator<[rule: string, reason: string]> {
  const layer = layerOf(module.area)
  if (layer !== undefined && !allows(layer, target, typeOnly)) {
    const verb = allows(layer, target, true) ? 'may import only types of' : 'may not import'
    yield ['layer', `${layer.area} ${verb} ${nameOf(target)}: ${layer.because}`]
  }
  if (target.kind === 'package' && target.entry === 'testing') {
    yield ['testing', `only tests, scripts and benchmarks may import ${target.name}/testing`]
  }
  if (target.kind !== 'module') return

  const whole = PACKAGES.find((one) => one.package === module.package)
  if (whole !== undefined && !whole.modules.some((pattern) => matches(pattern, target.name))) {
    yield ['package', `${whole.package} may not import ${target.name}: ${whole.because}`]
  }
  for (const owner of OWNERS.filter((one) => withholds(one, module, target.name))) {
    yield ['owner', `only ${owner.area} may import ${target.name}: ${owner.because}`]
  }
}

function layerOf(area: string): Layer | undefined {
  return LAYERS.find((one) => one.area === area) ?? LAYERS.find((one) => one.area === area.split('/')[0])
}

function allows(layer: Layer, target: Target, typeOnly: boolean): boolean {
  if (target.kind === 'module') return layer.modules?.includes(target.name) ?? true
  // A package's manifest holds its version. It is data and belongs to no layer.
  if (target.kind === 'file' && target.path.endsWith('/package.json')) return true
  const area = target.kind === 'file' ? layerOf(areaOf(target.path))?.area : target.area
  if (area === undefined || area === layer.area) return true
  const allowed = [...layer.imports, ...(typeOnly ? (layer.importsTypes ?? []) : [])]
  return allowed.some((pattern) => matches(pattern, area))
}

function nameOf(target: Target): string {
  return target.kind === 'file' ? areaOf(target.path) : target.name
}

function withholds(owner: Owner, module: Module, name: string): boolean {
  const elsewhere = owner.area !== module.area && owner.area.startsWith(`${module.package}/`)
  return elsewhere && owner.modules.some((pattern) => matches(pattern, name))
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith('/*') ? `${name}/`.startsWith(pattern.slice(0, -1)) : pattern === name
}

/** Product code has the dependencies of its package; other code also those of the root and every package here. */
function declared(module: Module): Set<string> {
  const own = module.package === undefined ? {} : manifestIn(`packages/${module.package}`)
  const names = Object.keys({ ...own.dependencies, ...own.peerDependencies, ...own.optionalDependencies })
  if (module.isProduct) return new Set(names)
  const shared = manifestIn('.')
  return new Set([
    ...names,
    ...Object.keys({ ...shared.devDependencies, ...shared.optionalDependencies }),
    ...WORKSPACES,
  ])
}

function manifestIn(folder: string): Manifest {
  const known = manifests.get(folder)
  if (known !== undefined) return known
  const manifest: Manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
  manifests.set(folder, manifest)
  return manifest
}

function isBanned({ isProduct, package: name = '', path }: Module, kind: GlobalUse['kind']): boolean {
  const { packages, except } = BANS[kind]
  return isProduct && packages.includes(name) && !except.test(path)
}

function cycles(): Finding[] {
  const graph = new Map(
    modules.map((module) => [module.path, module.imports.flatMap((one) => edges(module, one))]),
  )
  return cyclesIn(graph).map(({ path, closing }) => ({
    path: path.at(-2) ?? '',
    line: closing.line,
    rule: 'cycle',
    reason: path.join(' → '),
  }))
}

function edges({ text }: Module, { start, target }: Import): { to: string; line: number }[] {
  return target.kind === 'file' ? [{ to: target.path, line: lineAt(text, start) }] : []
}
