import { posix, win32 } from 'node:path'

/** Facts of a process that show how its user started it. */
export interface Start {
  /** `process.argv[1]`: the file that Node runs, a link not followed. */
  readonly script: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly folder: string
  readonly platform: NodeJS.Platform
}

const NAME = 'bridgekeeper'
const NPX = `npx ${NAME}`

/**
 * The command that starts this program again in the same folder, quoted for the shell: `bridgekeeper`,
 * `npx bridgekeeper`, `node FILE` or a path. For a program that is not the command itself, such as the demo of
 * `npm start`, it is `npx bridgekeeper`.
 */
export function commandName({ script, env, folder, platform }: Start): string {
  const isWindows = platform === 'win32'
  const path = isWindows ? win32 : posix
  const { dir, name, ext } = path.parse(script)
  if (name !== NAME || dir.endsWith(path.join('node_modules', '.bin')) || env.npm_command === 'exec')
    return NPX
  const searched = (env.PATH ?? env.Path ?? '').split(path.delimiter)
  // On Windows npm installs a script, which runs the file of the package.
  if (isWindows && dir.endsWith(path.join('node_modules', NAME, 'bin')))
    return searched.includes(path.resolve(dir, '../../..')) ? NAME : NPX
  if (ext === '' && searched.includes(dir)) return NAME
  const inFolder = path.relative(folder, script)
  const isInside = !inFolder.startsWith('..') && !path.isAbsolute(inFolder)
  const shown = isInside ? inFolder : script
  if (ext !== '') return `node ${quoted(shown, platform)}`
  return quoted(isInside ? `.${path.sep}${shown}` : shown, platform)
}

/** One word of a command line, as a POSIX shell reads it, or on Windows cmd and PowerShell. */
export function quoted(word: string, platform: NodeJS.Platform = process.platform): string {
  if (platform === 'win32') return /^[\w@+=:,./\\-]+$/.test(word) ? word : `"${word.replaceAll('"', '')}"`
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
