import { readFileSync, statSync } from 'node:fs'
import { win32 } from 'node:path'
import { USUAL_PATHEXT } from '../config/command-line.ts'

/** A program as its entry names it. */
export interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Arguments of `spawn` on Windows. */
export interface Launch {
  readonly command: string
  readonly args: readonly string[]
  /** The arguments are quoted already. */
  readonly isVerbatim: boolean
}

/** The files of the machine, as far as a launch depends on them. */
export interface Files {
  isFile(path: string): boolean
  read(path: string): string
}

export const realFiles: Files = {
  isFile: (path) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false,
  read: (path) => readFileSync(path, 'utf8'),
}

/** The script of a batch file that npm made: `"%dp0%\node_modules\x\cli.js"`, or `%~dp0\…` in npx.cmd itself. */
const SCRIPT = /%(?:~dp0|dp0%)\\?([^"%\r\n]+\.[cm]?js)"/gi
/** A helper of npx.cmd, and not what it runs. */
const PREFIX_SCRIPT = 'npm-prefix.js'
/** Characters that cmd.exe acts upon also inside quotes, or that end them. */
const UNSAFE = /["%\r\n]/

/**
 * Finds the program as a Windows shell would, by PATH and PATHEXT, so that `npx` means `npx.cmd`. A batch file that npm
 * made is replaced by Node and its script. Any other batch file is run by cmd.exe, if that passes the arguments on
 * unchanged: cmd.exe has no escape that holds for every batch file (CVE-2024-27980).
 *
 * @returns `unsafe` if an argument could become a command of cmd.exe
 */
export function windowsLaunch(spec: Program, files: Files): Launch | 'unsafe' {
  const program = findProgram(spec, spec.command, files)
  if (program === undefined) return { command: spec.command, args: spec.args, isVerbatim: false }
  if (!/\.(?:cmd|bat)$/i.test(program)) return { command: program, args: spec.args, isVerbatim: false }
  const script = scriptOf(program, files)
  const node = script && findProgram(spec, 'node', files)
  if (script !== undefined && node !== undefined)
    return { command: node, args: [script, ...spec.args], isVerbatim: false }
  const words = [program, ...spec.args]
  if (words.some((word) => UNSAFE.test(word))) return 'unsafe'
  const line = words.map((word) => `"${word.replace(/\\+$/, '$&$&')}"`).join(' ')
  const shell = variable(spec, 'COMSPEC') ?? 'cmd.exe'
  return { command: shell, args: ['/d', '/v:off', '/s', '/c', `"${line}"`], isVerbatim: true }
}

function findProgram(spec: Program, name: string, { isFile }: Files): string | undefined {
  const suffixes = (variable(spec, 'PATHEXT') ?? USUAL_PATHEXT).split(';').filter((each) => each !== '')
  const hasSuffix = suffixes.some((suffix) => name.toLowerCase().endsWith(suffix.toLowerCase()))
  const names = [...(hasSuffix ? [name] : []), ...suffixes.map((suffix) => name + suffix.toLowerCase())]
  const folders = /[\\/:]/.test(name) ? [spec.cwd ?? '.'] : (variable(spec, 'PATH') ?? '').split(';')
  return folders
    .filter((folder) => folder !== '')
    .flatMap((folder) => names.map((each) => win32.resolve(folder.replaceAll('"', ''), each)))
    .find(isFile)
}

function scriptOf(batchFile: string, { isFile, read }: Files): string | undefined {
  const found = [...read(batchFile).matchAll(SCRIPT)].map(([, path = '']) => path)
  const scripts = new Set(found.filter((path) => win32.basename(path).toLowerCase() !== PREFIX_SCRIPT))
  const [script, another] = [...scripts].map((path) => win32.join(win32.dirname(batchFile), path))
  return script !== undefined && another === undefined && isFile(script) ? script : undefined
}

function variable({ env }: Program, name: string): string | undefined {
  const key = Object.keys(env).find((each) => each.toUpperCase() === name)
  return key === undefined ? undefined : env[key]
}
