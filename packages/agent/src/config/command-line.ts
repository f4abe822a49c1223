import { accessSync, constants } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'

export type CommandLine =
  | { readonly ok: true; readonly command: string; readonly args: readonly string[] }
  | { readonly ok: false; readonly reason: string }

/** Quoted parts, variables with spaces in their defaults, and plain text up to the next white space. */
const WORD = /(?:"[^"]*"|'[^']*'|\$\{[^}]*\}|[^\s"'])+/g
const PART = /"([^"]*)"|'([^']*)'/g
const SHELL_WORDS = /^(?:&&?|\|\|?|;|\d?>{1,2}(?:&\d|[^>=].*)?|<)$|^(?:\$\(|`)|;$/
/** Windows' own value of PATHEXT: endings that the name of a program may lack. */
export const USUAL_PATHEXT = '.COM;.EXE;.BAT;.CMD'
/** Matches a program of Windows by its path, which may have spaces: `C:\Program Files\nodejs\node.exe`. */
const DRIVE_PATH = /^[A-Za-z]:[\\/][^"']*?\.(?:exe|cmd|bat|com)(?=\s|$)/i
const ASSIGNMENT = /^[A-Za-z_]\w*=/

/** Splits a command line that stands in `command` as a whole, such as `npx -y some-server`. No shell reads it. */
export function splitCommandLine(text: string): CommandLine {
  const line = text.replace(DRIVE_PATH, (path) => `"${path}"`)
  if (line.replaceAll(PART, '').match(/["']/)) return { ok: false, reason: 'it has an unclosed quote' }
  const words = line.match(WORD) ?? []
  if (words.some((word) => SHELL_WORDS.test(word)))
    return { ok: false, reason: 'it needs a shell; write "command": "sh" and "args": ["-c", "…"]' }
  const [command = '', ...args] = words.map((word) => word.replaceAll(PART, '$1$2'))
  if (ASSIGNMENT.test(command))
    return { ok: false, reason: 'it sets a variable; put the variable into "env"' }
  return { ok: true, command, args }
}

/**
 * Whether there is a program of this name, spaces and all: as a path, or in one of the folders of PATH.
 * @param endings those that the name may lack, such as `.cmd` on Windows
 */
export function isProgram(
  name: string,
  path: string | undefined,
  folder: string,
  endings: readonly string[],
): boolean {
  const isThere = (file: string) => ['', ...endings].some((ending) => isFile(file + ending))
  if (/[/\\]/.test(name)) return isThere(resolve(folder, name))
  return (path ?? '').split(delimiter).some((each) => each !== '' && isThere(join(each, name)))
}

function isFile(path: string): boolean {
  try {
    accessSync(path, constants.F_OK)
    return true
  } catch {
    return false
  }
}
