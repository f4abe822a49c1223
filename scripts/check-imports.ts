/**
 * Checks who imports whom: the layers and owners of imports/rules.ts, no way around a package's name, nothing
 * undeclared, no circles, no clock or randomness of one's own.
 *
 * Usage: node scripts/check-imports.ts [ROOT]
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cyclesIn } from './imports/cycles.ts'
import { areaOf, type Import, importsOf, packageOf, type Target } from './imports/read.ts'
import { LAYERS, type Layer, OWNERS, type Owner, TIMELESS } from './imports/rules.ts'
import {
  type Finding,
  lineAt,
  readSources,
  report,
  rootArgument,
  type Source,
  withoutStrings,
} from './sources.ts'

const OWN_TIME = /\bDate\.now\b|\bMath\.random\b|\bnew Date\b(?!\s*\(\s*[^)\s])/g

interface Module extends Source {
  readonly area: string
  readonly package: string
  readonly imports: readonly Import[]
}

const root = rootArgument()
const modules = readSources(root, /^packages\/[^/]+\/(?:src|bin)\//, /\.m?[jt]s$/).map(toModule)
const findings = [...modules.flatMap(judgeModule), ...circles()]
if (modules.length === 0) {
  findings.push({ path: 'packages', line: 1, rule: 'empty', reason: 'there is nothing here to check' })
}
report(findings, `imports: ${modules.length} files, all as the layers say`)

function toModule(source: Source): Module {
  const area = areaOf(source.path)
  return { ...source, area, package: packageOf(source.path) ?? '', imports: importsOf(source) }
}

function judgeModule(module: Module): Finding[] {
  return [...module.imports.flatMap((one) => [...judge(module, one)]), ...ownTime(module)]
}

function* judge(module: Module, { line, typeOnly, target }: Import): Generator<Finding> {
  const at = (rule: string, reason: string): Finding => ({ path: module.path, line, rule, reason })

  if (target.kind === 'file' && packageOf(target.path) !== module.package) {
    yield at('crossing', `${target.path} is outside this package; import a package by name`)
    return
  }
  const layer = layerOf(module.area)
  if (layer !== undefined && !allows(layer, target, typeOnly)) {
    const verb = allows(layer, target, true) ? 'may import only types of' : 'may not import'
    yield at('layer', `${layer.area} ${verb} ${nameOf(target)}: ${layer.because}`)
  }
  if (target.kind === 'file') return

  const { name } = target
  for (const owner of OWNERS.filter((one) => withholds(one, module, name))) {
    yield at('owner', `only ${owner.area} may import ${name}: ${owner.because}`)
  }
  if (!name.startsWith('node:') && !declared(module.package).has(name)) {
    yield at('undeclared', `packages/${module.package}/package.json does not declare ${name}`)
  }
}

function layerOf(area: string): Layer | undefined {
  return LAYERS.find((one) => one.area === area) ?? LAYERS.find((one) => one.area === area.split('/')[0])
}

function allows(layer: Layer, target: Target, typeOnly: boolean): boolean {
  if (target.kind === 'module') return layer.modules?.includes(target.name) ?? true
  // A package's own manifest holds its version: data, and in no layer.
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

function declared(packageName: string): Set<string> {
  const manifest = JSON.parse(readFileSync(join(root, 'packages', packageName, 'package.json'), 'utf8'))
  const { dependencies, peerDependencies, optionalDependencies } = manifest
  return new Set(Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies }))
}

function ownTime({ package: name, path, text }: Module): Finding[] {
  if (!TIMELESS.packages.includes(name) || TIMELESS.except.test(path)) return []
  const code = withoutStrings(text)
  return [...code.matchAll(OWN_TIME)].map((match) => ({
    path,
    line: lineAt(code, match.index),
    rule: 'time',
    reason: `${match[0]}: the clock and randomness are passed in`,
  }))
}

function circles(): Finding[] {
  const graph = new Map(modules.map((module) => [module.path, module.imports.flatMap(edges)]))
  return cyclesIn(graph).map(({ path, closing }) => ({
    path: path.at(-2) ?? '',
    line: closing.line,
    rule: 'cycle',
    reason: path.join(' → '),
  }))
}

function edges({ line, target }: Import): { to: string; line: number }[] {
  return target.kind === 'file' ? [{ to: target.path, line }] : []
}
