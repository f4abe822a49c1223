import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import { type Expression, type NewExpression, type Program, parseSync, Visitor } from 'oxc-parser'
import type { Source } from '../sources.ts'

/** An import of a file, with its target. */
export interface Import {
  /** Index of the import in the file's text. */
  readonly start: number
  readonly typeOnly: boolean
  readonly target: Target
}

/** A file by its path from the root, a package of this project, or a module of npm or Node. */
export type Target =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'package'; readonly area: string; readonly name: string; readonly entry: string }
  | { readonly kind: 'module'; readonly name: string }

/** A use of a global that most files must not use, such as `Date.now`. */
export interface GlobalUse {
  readonly start: number
  readonly name: string
  readonly kind: 'time' | 'env'
}

/** Imports and uses of globals in one file. */
export interface Contents {
  readonly imports: readonly Import[]
  readonly globals: readonly GlobalUse[]
}

const GLOBALS: Readonly<Record<string, GlobalUse['kind']>> = {
  'Date.now': 'time',
  'Math.random': 'time',
  'process.env': 'env',
}

/**
 * Finds imports (`import`, `export … from`, `import()` and `typeof import()` with a fixed name) and uses of the
 * clock, randomness and environment.
 * @throws Error if the file does not parse
 */
export function readContents(source: Source): Contents {
  const imports: Import[] = []
  const globals: GlobalUse[] = []

  function add(name: string, start: number, typeOnly: boolean): void {
    imports.push({ start, typeOnly, target: targetOf(source.path, name) })
  }

  new Visitor({
    ImportDeclaration: ({ source: { value, start }, importKind }) => add(value, start, importKind === 'type'),
    ExportAllDeclaration: ({ source: { value, start }, exportKind }) =>
      add(value, start, exportKind === 'type'),
    ExportNamedDeclaration: ({ source: from, exportKind }) => {
      if (from !== null) add(from.value, from.start, exportKind === 'type')
    },
    ImportExpression: ({ source: from }) => {
      const name = fixedText(from)
      if (name !== undefined) add(name, from.start, false)
    },
    TSImportType: ({ source: from }) => add(from.value, from.start, true),
    MemberExpression: ({ object, property, start }) => {
      if (object.type !== 'Identifier' || !('name' in property || 'value' in property)) return
      const name = `${object.name}.${'name' in property ? property.name : property.value}`
      const kind = GLOBALS[name]
      if (kind !== undefined) globals.push({ start, name, kind })
    },
    NewExpression: (node) => {
      if (readsClock(node)) globals.push({ start: node.start, name: 'new Date', kind: 'time' })
    },
  }).visit(parse(source))
  return { imports, globals }
}

function parse({ path, text }: Source): Program {
  const { program, errors } = parseSync(path, text)
  const [error] = errors
  if (error !== undefined) throw new Error(`${path} does not parse: ${error.message}`)
  return program
}

function fixedText(node: Expression): string | undefined {
  if (node.type === 'Literal' && typeof node.value === 'string') return node.value
  if (node.type !== 'TemplateLiteral' || node.expressions.length > 0) return undefined
  return node.quasis[0]?.value.cooked ?? undefined
}

function readsClock({ callee, arguments: given }: NewExpression): boolean {
  return callee.type === 'Identifier' && callee.name === 'Date' && given.length === 0
}

function targetOf(importer: string, specifier: string): Target {
  if (specifier.startsWith('.')) {
    return { kind: 'file', path: posix.join(posix.dirname(importer), specifier) }
  }
  if (isBuiltin(specifier)) return { kind: 'module', name: `node:${specifier.replace('node:', '')}` }
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  if (name !== 'bridgekeeper' && !name.startsWith('@bridgekeeper/')) return { kind: 'module', name }
  const area = name === 'bridgekeeper' ? 'cli' : name.replace('@bridgekeeper/', '')
  return { kind: 'package', area, name, entry: specifier.slice(name.length + 1) }
}

/** The package folder that a path lies in. */
export function packageOf(path: string): string | undefined {
  return /^packages\/([^/]+)\//.exec(path)?.[1]
}

/** The area that a path lies in: its package and the folder or file directly in `src`. */
export function areaOf(path: string): string {
  return path.replace(/^packages\/([^/]+)\/(?:src\/)?([^/.]+).*$/, '$1/$2')
}
