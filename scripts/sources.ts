import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** A violation that a check found. */
export interface Finding {
  readonly path: string
  readonly line: number
  readonly rule: string
  readonly reason: string
}

/** A file of the tree under check; its path is relative to the root and has forward slashes. */
export interface Source {
  readonly path: string
  readonly text: string
}

/** The tree to check: the script's first argument, or this repository. */
export function rootArgument(): string {
  return resolve(process.argv[2] ?? join(import.meta.dirname, '..'))
}

/** Reads the files of these folders and below whose names match, in a stable order. */
export function readSources(root: string, folders: RegExp, name: RegExp): Source[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && name.test(entry.name))
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(root.length + 1)
        .replaceAll('\\', '/'),
    )
    .filter((path) => folders.test(path) && !path.includes('node_modules/'))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

const COMMENT_OR_STRING =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g

/** Replaces comments by spaces, so that their text is not read as code. Offsets stay the same. */
export function withoutComments(text: string): string {
  return text.replace(COMMENT_OR_STRING, (token) => (token.startsWith('/') ? blank(token) : token))
}

function blank(token: string): string {
  return token.replace(/[^\n]/g, ' ')
}

/** Returns the line, from 1, of the character at this index. */
export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}

/** Prints `path:line  rule  reason` for each finding and sets the exit code. */
export function report(findings: readonly Finding[], whenClean: string): void {
  for (const { path, line, rule, reason } of findings) console.log(`${path}:${line}  ${rule}  ${reason}`)
  if (findings.length === 0) console.log(whenClean)
  else process.exitCode = 1
}
