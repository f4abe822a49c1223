import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import { lineAt, type Source, withoutComments } from '../sources.ts'

/** One import of a file, with what it leads to. */
export interface Import {
  readonly line: number
  readonly typeOnly: boolean
  readonly target: Target
}

/** A file by its path from the root, a package of this project, or a module of npm or Node. */
export type Target =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'package'; readonly area: string; readonly name: string }
  | { readonly kind: 'module'; readonly name: string }

// The names between `import` and `from` hold no further statement, so that each statement matches by itself.
const STATIC =
  /(?:^|;)\s*(?:import|export)\b(?<type>\s+type\b)?(?:(?:(?!\b(?:import|export)\b)[\w$*{}\s,])*\bfrom\b)?\s*['"](?<name>[^'"]+)['"]/gm
const DYNAMIC = /\bimport\s*\(\s*['"`](?<name>[^'"`$]+)['"`]/g

/** Finds the imports of a file: `import`, `export … from` and `import()` with a fixed name. */
export function importsOf({ path, text }: Source): Import[] {
  const code = withoutComments(text)
  return [...code.matchAll(STATIC), ...code.matchAll(DYNAMIC)].map((match) => ({
    line: lineAt(code, match.index + match[0].length),
    typeOnly: match.groups?.type !== undefined,
    target: targetOf(path, match.groups?.name ?? ''),
  }))
}

function targetOf(importer: string, specifier: string): Target {
  if (specifier.startsWith('.')) {
    return { kind: 'file', path: posix.join(posix.dirname(importer), specifier) }
  }
  if (isBuiltin(specifier)) return { kind: 'module', name: `node:${specifier.replace('node:', '')}` }
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
  if (name === 'bridgekeeper') return { kind: 'package', area: 'cli', name }
  if (name.startsWith('@bridgekeeper/')) return { kind: 'package', area: name.replace(/^.*\//, ''), name }
  return { kind: 'module', name }
}

/** The package folder that a path lies in. */
export function packageOf(path: string): string | undefined {
  return /^packages\/([^/]+)\//.exec(path)?.[1]
}

/** The area that a path lies in: its package and the folder or file directly in `src`. */
export function areaOf(path: string): string {
  return path.replace(/^packages\/([^/]+)\/(?:src\/)?([^/.]+).*$/, '$1/$2')
}
